"""docs/formats/claims.md says what stands on the refs."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError
from mlops_cli.pipeline.triggers.claim import Claim, from_text, to_text
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.claims import Board
from mlops_cli.vcs.note import Change
from mlops_cli.vcs.repo import Git

PAGE = (Path(__file__).parents[2] / "docs/formats/claims.md").read_text()
NOW = datetime(2013, 3, 1, 3, 15, 2, tzinfo=UTC)


def example() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(PAGE.split("```json\n")[1].split("```")[0])
    return body


def test_the_example_of_the_page_is_read_and_written_byte_for_byte() -> None:
    text = json.dumps(example(), sort_keys=True, separators=(",", ":")).encode()
    claim = from_text(text, name="nightly/20130301T030000Z", id="c1")
    assert to_text(claim) == text
    size, digest = re.search(r"these (\d+) bytes in one line, `(sha256:\w+)`", PAGE).groups()  # type: ignore[union-attr]
    assert (len(text), str(Digest.of(text))) == (int(size), digest)


def test_the_page_names_every_field() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE.split("## The text")[1].split("## Worked")[0]))
    assert {item.name for item in dataclasses.fields(Claim)} - {"id"} <= told


def test_a_claim_is_a_commit_of_no_files_as_the_page_says(repo: Path, git: Any) -> None:
    text = json.dumps(example(), sort_keys=True, separators=(",", ":")).encode()
    name = "nightly/20130301T030000Z"
    Board(Git(repo), None).change({name: Change(None, text)}, time=NOW)
    ref = f"refs/mlops/claims/{name}"
    assert git("ls-tree", ref) == ""
    told = git("log", "-1", "--format=%an <%ae>%n%P%n%B", ref)
    assert told == f"mlops <mlops@localhost>\n\nclaim\n\n{text.decode()}\n\n"
    assert git("fsck", "--strict") == ""


def test_fields_of_later_versions_are_passed_over_and_other_things_refused() -> None:
    later = {**example(), "schema": "mlops.claim/2", "mood": "good"}
    assert from_text(json.dumps(later).encode(), name="nightly/20130301T030000Z", id="x")
    for text in (b"", b"[]", b"{}", json.dumps({**example(), "claimed": "noon"}).encode()):
        with pytest.raises(IntegrityError, match="nightly/20130301T030000Z"):
            from_text(text, name="nightly/20130301T030000Z", id="x")
    with pytest.raises(IntegrityError, match="something else"):
        from_text(json.dumps(example()).encode(), name="nightly/other", id="x")
