"""The examples in docs/formats/verification.md are what the code writes and reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli import encode
from mlops_cli.store.care import course, verified
from mlops_cli.store.care.course import Course
from mlops_cli.store.files import linked

PAGE = (Path(__file__).parents[2] / "docs/formats/verification.md").read_text()
ROUND, VERIFIED = re.findall(r"```json\n(.*?)```", PAGE, re.S)


def test_a_round_is_written_and_read_as_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "verify.json"
    after = "objects/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    here = {"round": Course("bytes", after, 2, 4096)}
    course.save(file, here)
    assert file.read_text() == ROUND
    assert course.load(file) == here


def test_what_was_verified_is_written_and_read_as_the_page_says(tmp_path: Path) -> None:
    (name,) = encode.parse_json(VERIFIED, source="page")["at"]
    (tmp_path / "state.json").write_text(f'{{"names": ["{name}"]}}')
    moment = datetime(2013, 1, 31, tzinfo=UTC)
    verified.remember(tmp_path, [name], now=moment)
    assert (tmp_path / verified.FILE).read_text() == VERIFIED
    assert verified.verified(tmp_path).at == {name: moment}


def test_the_facts_of_a_link_are_as_long_as_the_page_says() -> None:
    assert f"{linked.FACTS.size} bytes" in PAGE and linked.FACTS.format == "<6q"
