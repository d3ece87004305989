"""Work trees of one clone: one cache, each with its own memory of what files look like."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def linked(repo: Path, mlops: Any, git: Any, tmp_path: Path) -> Path:
    """A second work tree of a clone with the tracked folder `data`."""
    (repo / ".gitignore").write_text("/.mlops/*\n")
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    mlops("add", "data", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    return tmp_path / "linked"


def test_a_second_work_tree_has_the_data_at_once(repo: Path, linked: Path, mlops: Any) -> None:
    mlops("checkout", code=0, cwd=linked)
    assert (linked / "data/a").read_text() == "a"
    assert mlops("status", "--check", "--json", cwd=linked).data["workspace"]["clean"]
    assert not (linked / ".mlops").exists()
    assert (repo / ".git/worktrees/linked/mlops/stat.sqlite").is_file()
    assert not (repo / ".mlops/cache/projects").exists()
    assert str(repo / ".mlops/cache") in mlops("doctor", "--json", cwd=linked).stdout


def test_gc_in_one_keeps_what_the_other_has(repo: Path, linked: Path, mlops: Any, git: Any) -> None:
    (linked / "data").mkdir(exist_ok=True)
    (linked / "data/a").write_text("only here")
    (linked / "data/b").write_text("and this")
    mlops("add", "--force", "data", code=0, cwd=linked)  # nobody committed it
    mlops("gc", "--grace", "0", "--unpushed", code=0)
    shutil.rmtree(linked / "data")
    mlops("checkout", code=0, cwd=linked)
    assert (linked / "data/b").read_text() == "and this"
    git("worktree", "remove", "--force", str(linked))
    mlops("gc", "--grace", "0", "--unpushed", code=0)  # nobody asks what is gone
    assert mlops("status", "--check", "--json", code=0).data["storage"]["clean"]


def test_a_cache_that_somebody_chose_is_where_they_said(
    repo: Path, linked: Path, mlops: Any
) -> None:
    mlops("config", "set", "--local", "cache.dir", "mine", code=0, cwd=linked)
    (linked / "new.bin").write_bytes(b"new")
    mlops("add", "new.bin", code=0, cwd=linked)
    assert (linked / "mine").is_dir()
