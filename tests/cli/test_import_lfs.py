"""`mlops import lfs`: files of git-lfs are taken over, each hashed whatever its name says."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

DATA = b"large\n" * 50_000


def lfs_file(repo: Path, git: Any, path: str, data: bytes, *, kept: bytes | None) -> str:
    """Commit a pointer of git-lfs at `path`; `kept` is what git-lfs holds under its name."""
    oid = hashlib.sha256(data).hexdigest()
    place = repo / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n"
    )
    if kept is not None:
        at = repo / f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}"
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(kept)
    git("add", path)
    git("commit", "-qm", path)
    return oid


def test_files_of_git_lfs_become_data(repo: Path, mlops: Any, git: Any, assert_valid: Any) -> None:
    oid = lfs_file(repo, git, "data/a.bin", DATA, kept=DATA)
    (repo / "data/a.bin").chmod(0o755)
    git("commit", "-qam", "may be run")

    result = mlops("import", "lfs", "--json", code=0)

    assert_valid(result.json)
    (one,) = result.data["files"]
    assert (one["path"], one["digest"], one["state"]) == ("data/a.bin", f"sha256:{oid}", "imported")
    assert (repo / "data/a.bin").read_bytes() == DATA
    assert os.access(repo / "data/a.bin", os.X_OK)
    assert git("ls-files") == ""
    git("add", "-A")
    assert git("ls-files").split() == ["data/.gitignore", "data/a.bin.mlops"]
    assert mlops("status", "--json", code=0).data["workspace"]["clean"]


def test_bytes_that_are_in_the_workspace_already_stay(repo: Path, mlops: Any, git: Any) -> None:
    lfs_file(repo, git, "a.bin", DATA, kept=None)
    (repo / "a.bin").write_bytes(DATA)  # as git-lfs leaves it

    mlops("import", "lfs", code=0)

    assert (repo / "a.bin").read_bytes() == DATA
    (repo / "a.bin").unlink()
    mlops("checkout", code=0)
    assert (repo / "a.bin").read_bytes() == DATA


def test_what_git_lfs_lost_or_spoiled_is_named_and_left(repo: Path, mlops: Any, git: Any) -> None:
    lfs_file(repo, git, "gone.bin", DATA, kept=None)
    lfs_file(repo, git, "bad.bin", DATA + b"x", kept=DATA + b"y")
    lfs_file(repo, git, "good.bin", DATA + b"z", kept=DATA + b"z")

    result = mlops("import", "lfs", "--json", code=40)

    states = {one["path"]: one["state"] for one in result.data["files"]}
    assert states == {"gone.bin": "missing", "bad.bin": "corrupt", "good.bin": "imported"}
    assert git("ls-files").split() == ["bad.bin", "gone.bin"]
    assert (repo / "bad.bin").read_text().startswith("version https://git-lfs")


def test_only_what_is_named_is_taken(repo: Path, mlops: Any, git: Any) -> None:
    lfs_file(repo, git, "in/a.bin", DATA, kept=DATA)
    lfs_file(repo, git, "out/b.bin", DATA, kept=DATA)

    result = mlops("import", "lfs", "in", "--json", code=0)

    assert [one["path"] for one in result.data["files"]] == ["in/a.bin"]


def test_a_dry_run_only_tells(repo: Path, mlops: Any, git: Any) -> None:
    lfs_file(repo, git, "a.bin", DATA, kept=DATA)
    (repo / "README").write_text("version https://git-lfs.github.com/spec/v1 is a format\n")
    git("add", "README")

    result = mlops("import", "lfs", "--dry-run", "--json", code=0)

    assert [one["state"] for one in result.data["files"]] == ["imported"]
    assert not (repo / "a.bin.mlops").exists()
    assert "a.bin" in git("ls-files")
