"""What nobody committed is kept as a patch, so that a run of it can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_cli.vcs.difference import MOST, difference
from mlops_cli.vcs.repo import Git


def test_a_patch_holds_edits_new_files_and_what_was_deleted(
    repo: Path, git: Any, tmp_path: Path
) -> None:
    for name in ("edited", "gone", "same"):
        (repo / name).write_text(f"{name}\n")
    git("add", "-A")
    git("commit", "-qm", "Start")
    (repo / "edited").write_text("more\n")
    (repo / "gone").unlink()
    (repo / "new folder").mkdir()
    (repo / "new folder/ä.bin").write_bytes(bytes(range(256)))
    (repo / "staged").write_text("staged\n")
    git("add", "staged")
    staged = git("diff", "--cached")
    here = Git(repo)
    patch = difference(here, here.dirty())
    assert patch is not None
    assert git("diff", "--cached") == staged, "the index is as it was"
    git("clone", "-q", str(repo), str(tmp_path / "clone"))
    (tmp_path / "patch").write_bytes(patch)
    git("apply", "--binary", str(tmp_path / "patch"), cwd=tmp_path / "clone")
    for name in ("edited", "same", "staged", "new folder/ä.bin"):
        assert (tmp_path / "clone" / name).read_bytes() == (repo / name).read_bytes()
    assert not (tmp_path / "clone/gone").exists()


def test_a_clean_tree_a_first_commit_and_too_much_have_no_patch(repo: Path, git: Any) -> None:
    (repo / "a").write_text("a")
    assert difference(Git(repo), ["a"]) is None, "there is no commit it could be applied to"
    git("add", "-A")
    git("commit", "-qm", "Start")
    assert difference(Git(repo), Git(repo).dirty()) is None
    (repo / "big").mkdir()
    (repo / "big/file").write_bytes(bytes(MOST + 1))
    assert difference(Git(repo), Git(repo).dirty()) is None
