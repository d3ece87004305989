"""Tables among the files that changed: which are looked into, and how their versions are read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_cli.cli import table_changes
from mlops_cli.progress import SILENT
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.workspace.compare import DataChange, FileChange, Side


def put(cache: Cache, text: str) -> Side:
    return Side(cache.put(text.encode()), len(text))


def look(root: Path, cache: Cache, *files: FileChange, every: bool = False) -> tuple[Any, Any]:
    warned: list[str] = []
    found = table_changes.look(
        SimpleNamespace(progress=SILENT, warn=warned.append),  # type: ignore[arg-type]
        SimpleNamespace(root=root, cache=cache),  # type: ignore[arg-type]
        [DataChange("d", "modified", None, None, files)],
        here=False,
        every=every,
        rows=False,
        key=[],
    )
    return found, warned


def test_a_large_version_is_laid_beside_the_cache_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_changes, "IN_MEMORY", 4)
    cache = open_cache(tmp_path / "cache")
    old, new = put(cache, "a\n1\n"), put(cache, "a\n1\n2\n3\n")

    found, warned = look(tmp_path, cache, FileChange("d/t.csv", "modified", old, new))

    assert (found["d/t.csv"].diff.old.rows, found["d/t.csv"].diff.new.rows) == (1, 3)
    assert warned == [] and list((tmp_path / "cache/tmp").iterdir()) == []


def test_large_tables_are_looked_into_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_changes, "UNASKED", 5)
    cache = open_cache(tmp_path / "cache")
    change = FileChange("d/t.csv", "modified", put(cache, "a\n1\n"), put(cache, "a\n2\n"))

    assert look(tmp_path, cache, change) == ({}, ["1 table, 8 B, not looked into: --tables does"])
    found, warned = look(tmp_path, cache, change, every=True)
    assert list(found) == ["d/t.csv"] and warned == []


def test_what_the_cache_lacks_is_told_and_what_is_no_table_is_left_alone(tmp_path: Path) -> None:
    cache, other = open_cache(tmp_path / "cache"), open_cache(tmp_path / "other")
    here, gone = put(cache, "a\n1\n"), put(other, "a\n3\n")

    found, warned = look(
        tmp_path,
        cache,
        FileChange("d/t.csv", "modified", gone, here),
        FileChange("d/t.bin", "modified", gone, here),
        FileChange("d/new.csv", "added", None, here),
        FileChange("d/was.parquet", "renamed", here, gone, "d/was.csv"),
    )

    assert found == {}
    assert len(warned) == 1 and warned[0].startswith("d/t.csv: the object sha256:")
