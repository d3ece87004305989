"""Work on large files moves by bytes, work on small ones by files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.progress import Task
from mlops_cli.store import hashing
from mlops_cli.store.cache import open_cache
from mlops_cli.store.files import reading
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.materialize import materialize, plan_materialize


class Told:
    """A task that writes down what it is told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int | None, str]] = []
        self.steps: list[int] = []

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        self.begun.append((label, total, unit))
        return self

    def say(self, sentence: str) -> None: ...

    def advance(self, n: int = 1) -> None:
        self.steps.append(n)

    def watch(self, working: object) -> None: ...

    def expect(self, total: int) -> None: ...

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *exc: object) -> None: ...


@pytest.mark.parametrize("stored", [True, False])
def test_one_large_file_moves_by_its_pieces(tmp_path: Path, stored: bool) -> None:
    size = hashing.OVERLAP_FROM + 123
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(b"x" * size)
    (tmp_path / "data/small").write_bytes(b"12345")
    told, cache = Told(), open_cache(tmp_path / "cache")

    if stored:
        ingest(tmp_path / "data", cache=cache, progress=told)
    else:
        fingerprint(tmp_path / "data", progress=told)

    assert told.begun == [("storing" if stored else "hashing", size + 5, "B")]
    assert sum(told.steps) == size + 5
    assert len(told.steps) > 8


def test_small_files_move_by_files_also_where_processes_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PROCESSES_FROM", 2)
    (tmp_path / "data").mkdir()
    for n in range(5):
        (tmp_path / f"data/{n}").write_text(str(n))
    told = Told()

    fingerprint(tmp_path / "data", progress=told, jobs=2)

    assert told.begun == [("hashing", 5, "files")]
    assert sum(told.steps) == 5


@pytest.mark.parametrize("link", ["auto", "copy"])
def test_writing_a_large_file_moves_by_its_pieces(tmp_path: Path, link: str) -> None:
    size = hashing.OVERLAP_FROM + 123
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(b"x" * size)
    (tmp_path / "data/small").write_bytes(b"12345")
    told, cache = Told(), open_cache(tmp_path / "cache")
    stored = ingest(tmp_path / "data", cache=cache)

    plan = plan_materialize(cache, stored.digest, "tree", tmp_path / "out")
    materialize(plan, link=link, progress=told)  # type: ignore[arg-type]

    assert told.begun == [("writing", size + 5, "B")]
    assert sum(told.steps) == size + 5
    assert len(told.steps) > 8
