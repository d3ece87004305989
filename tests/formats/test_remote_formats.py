"""The examples in docs/formats/pointers.md and remote.md are what the code writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.store import pack_index

PAGES = Path(__file__).parent.parent.parent / "docs/formats"


@pytest.fixture
def example(repo: Path, mlops: Any) -> Path:
    """The folder of both pages, added and pushed."""
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1\n")
    (repo / "data/b.csv").write_text("22\n")
    mlops("add", "data", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    mlops("push", code=0)
    return repo


def test_the_pointer_of_the_page_is_written(example: Path) -> None:
    page = (PAGES / "pointers.md").read_text()
    assert f"```json\n{(example / 'data.mlops').read_text()}```" in page
    assert "/data" in (example / ".gitignore").read_text().splitlines()


def test_the_remote_of_the_page_is_written(example: Path) -> None:
    page = (PAGES / "remote.md").read_text()
    remote = example.parent / "remote"
    files = {
        path.relative_to(remote).as_posix(): path.stat().st_size
        for path in remote.rglob("*")
        if path.is_file()
    }
    told = dict(re.findall(r"^\| `([^`<]+)` \| ([\d,]+) \|$", page, re.M))
    assert {name: int(size.replace(",", "")) for name, size in told.items()} == files

    (index,) = (remote / "index").iterdir()
    rows = [
        (raw.hex(), str(at), str(size))
        for raw, at, size in pack_index.index_rows(index.read_bytes())
    ]
    assert re.findall(r"^([0-9a-f]{64}) +(\d+) +(\d+) ", page, re.M) == rows
