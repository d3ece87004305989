"""`mlops move`: data, pointer and ignore line go together, and nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.store.cache import open_cache
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace.move import rename


@pytest.fixture
def data(repo: Path, mlops: Any, git: Any) -> Path:
    """`data/raw` (a.csv, deep/b.csv), `data/more` (c.csv) and `one.bin` are tracked, committed."""
    (repo / "data/raw/deep").mkdir(parents=True)
    (repo / "data/more").mkdir()
    (repo / "data/raw/a.csv").write_text("a")
    (repo / "data/raw/deep/b.csv").write_text("b")
    (repo / "data/more/c.csv").write_text("c")
    (repo / "one.bin").write_text("1")
    mlops("add", "data/raw", "data/more", "one.bin", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    return repo


def test_a_folder_gets_another_name(data: Path, mlops: Any, git: Any, assert_valid: Any) -> None:
    before = json.loads((data / "data/raw.mlops").read_text())

    result = mlops("move", "data/raw", "archive/first", "--json", code=0)

    assert_valid(result.json)
    assert result.data["moved"] == [{"from": "data/raw", "to": "archive/first"}]
    assert json.loads((data / "archive/first.mlops").read_text()) == before | {"path": "first"}
    assert (data / "archive/first/deep/b.csv").read_text() == "b"
    assert not (data / "data/raw").exists() and not (data / "data/raw.mlops").exists()
    assert "/first\n" in (data / "archive/.gitignore").read_text()
    assert "/raw\n" not in (data / "data/.gitignore").read_text()
    assert set(git("status", "--porcelain").splitlines()) == {
        "A  archive/.gitignore",
        "R  data/raw.mlops -> archive/first.mlops",
        "M  data/.gitignore",
    }
    assert mlops("status", "--json", code=0).data["workspace"]["clean"]


def test_into_a_folder_that_exists_it_goes_by_its_name(data: Path, mlops: Any, git: Any) -> None:
    mlops("move", "one.bin", "data", code=0)

    assert (data / "data/one.bin").read_text() == "1"
    assert "data/one.bin.mlops" in git("ls-files")
    assert not (data / ".gitignore").exists()


def test_without_the_bytes_the_pointer_moves(data: Path, mlops: Any) -> None:
    (data / "one.bin").unlink()

    mlops("move", "one.bin.mlops", "two.bin", code=0)

    assert (data / "two.bin.mlops").exists() and not (data / "two.bin").exists()
    mlops("checkout", code=0)
    assert (data / "two.bin").read_text() == "1"


def test_parts_go_within_between_into_and_out_of_folders(data: Path, mlops: Any) -> None:
    mlops("move", "data/raw/deep/b.csv", "data/raw/x/y.csv", code=0)
    mlops("move", "data/raw/a.csv", "data/more/", code=0)
    mlops("move", "one.bin", "data/more/deep/", code=0)
    mlops("move", "data/more/c.csv", "c.csv", code=0)

    listed = {row["path"] for row in mlops("ls", "-R", "--json", code=0).data["entries"]}
    assert {
        "c.csv",
        "data/raw/x/y.csv",
        "data/more/a.csv",
        "data/more/deep/one.bin",
    } < listed
    assert not listed & {"one.bin", "data/raw/a.csv", "data/raw/deep/b.csv", "data/more/c.csv"}
    assert (data / "c.csv").read_text() == "c"
    assert mlops("status", "--json", code=0).data["workspace"]["clean"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("one.bin", "data/raw/a.csv"), "in-the-way"),
        (("one.bin", "kept.py"), "in-the-way"),
        (("data/raw", "data/raw/deep"), "inside-itself"),
        (("nothing", "x"), "not-tracked"),
        (("data/raw/nothing", "x"), "not-tracked"),
        (("one.bin", "../x"), "path-outside-project"),
        (("one.bin", ".mlops/x"), "not-data"),
        (("one.bin", "data/raw", "nowhere"), "not-a-folder"),
        (("one.bin",), "bad-value"),
        (("made", "x"), "made-by-step"),
    ],
)
def test_what_cannot_be_moved_is_refused(
    data: Path, mlops: Any, git: Any, words: tuple[str, ...], code: str
) -> None:
    (data / "kept.py").write_text("1")
    lock = {"step": "s", "outputs": {"made": {"digest": f"sha256:{'0' * 64}", "kind": "file"}}}
    (data / ".mlops/lock").mkdir(parents=True, exist_ok=True)
    (data / ".mlops/lock/s.json").write_text(json.dumps(lock))
    before = git("status", "--porcelain")

    result = mlops("move", *words, "--json")

    assert result.error["code"] == code
    assert git("status", "--porcelain") == before


def test_a_dry_run_moves_nothing_and_steps_that_read_it_are_named(data: Path, mlops: Any) -> None:
    (data / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n  clean:\n    cmd: cp one.bin out/x\n"
        "    deps: [one.bin]\n    outs: [out/x]\n"
    )

    result = mlops("move", "one.bin", "two.bin", "--dry-run", "--json", code=0)

    assert result.json["warnings"] == ["one.bin is read by clean: change pipeline.yaml"]
    assert (data / "one.bin").exists()


@pytest.mark.parametrize("reached", ["pointer", "data"])
def test_a_move_that_was_cut_short_goes_on(data: Path, mlops: Any, reached: str) -> None:
    (data / "archive").mkdir()
    pointer = json.loads((data / "data/raw.mlops").read_text())
    (data / "archive/first.mlops").write_text(json.dumps(pointer | {"path": "first"}))
    (data / "archive/.gitignore").write_text("/first\n")
    if reached == "data":
        (data / "data/raw").rename(data / "archive/first")

    mlops("move", "data/raw", "archive/first", code=0)

    assert (data / "archive/first/a.csv").exists()
    assert not (data / "data/raw.mlops").exists() and not (data / "data/raw").exists()
    assert mlops("status", "--json", code=0).data["workspace"]["clean"]


def test_what_is_known_of_the_files_of_a_folder_moves_along(tmp_path: Path) -> None:
    stats = StatCache(tmp_path / "stat.sqlite")
    (tmp_path / "old/deep").mkdir(parents=True)
    (tmp_path / "old/deep/a").write_text("a")
    ingest(tmp_path / "old", cache=open_cache(tmp_path / "cache"), stats=stats)
    before = stats.load(str(tmp_path / "old"))

    rename(tmp_path / "old", tmp_path / "x/new", stats=stats)

    after = stats.load(str(tmp_path / "x/new"))
    assert after == {path.replace("/old", "/x/new"): known for path, known in before.items()}
    assert len(after) == 2
