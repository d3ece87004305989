"""The worked example of docs/formats/collecting.md, and the order of its writes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mlops_cli.store import condemned, pack_index
from mlops_cli.store.condemned import Moment
from mlops_cli.store.digest import Digest
from mlops_cli.store.space import projects

PAGE = (Path(__file__).parents[2] / "docs/formats/collecting.md").read_text()
SINCE = 1_700_000_000


def test_the_page_shows_what_is_condemned(tmp_path: Path) -> None:
    digest = Digest.of(b"hello\n")
    condemned.looked(tmp_path, {digest.raw: SINCE}, {digest.raw: 6}, Moment(SINCE))
    data = (tmp_path / "gc/condemned.idx").read_bytes()
    assert f"{len(data):,} bytes with the SHA-256 `{hashlib.sha256(data).hexdigest()}`" in PAGE
    shown = re.findall(r"^([0-9a-f]{16,64}) ", PAGE, re.MULTILINE)
    assert data.endswith(bytes.fromhex("".join(shown))) and len(shown) == 3
    assert data.startswith(pack_index.INDEX_MAGIC)
    clock = (tmp_path / "gc/clock.json").read_text()
    assert all(f'"{name}"' in clock for name in ("calendar", "running", "boot"))


def test_the_page_shows_the_card_of_a_project(tmp_path: Path) -> None:
    projects.register(tmp_path, Path("/work/flights"))
    (card,) = (tmp_path / "projects").iterdir()
    assert f"`projects/{card.name}`" in PAGE
    assert "mlops.project/1" in card.read_text() and "/work/flights" in card.read_text()
