"""The digests that the format pages show are those of the examples beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.record import KINDS, parse
from mlops_cli.store.digest import Digest

PAGES = Path(__file__).parents[2] / "docs" / "formats"


def examples(name: str) -> tuple[str, list[dict[str, object]]]:
    page = (PAGES / name).read_text()
    return page, [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.S)]


def test_the_record_on_the_page_has_the_digest_on_the_page() -> None:
    page, (shown,) = examples("ledger.md")
    data = canonical_json(shown)
    digest = Digest.of(data)
    assert f"`{digest}`" in page
    assert f"records/{digest.hex[:2]}/{digest.hex}.json" in page
    assert f"one line of {len(data)} bytes" in page
    assert parse(data, name=digest, source="page").kind == "decision"


def test_every_kind_of_record_is_on_the_page() -> None:
    page, _ = examples("ledger.md")
    for kind, fields in KINDS.items():
        rows = [
            line for line in page.splitlines() if line.startswith("| `") and f"`{kind}`" in line
        ]
        assert any(all(f"`{field}`" in row for field in fields) for row in rows), kind


def test_the_tags_on_the_page_have_their_digests_and_form_a_chain() -> None:
    page, (version, first, second) = examples("registry.md")
    for shown in (version, first, second):
        assert f"`{Digest.of(canonical_json(shown))}`" in page
    assert second["previous"] == Digest.of(canonical_json(first))
