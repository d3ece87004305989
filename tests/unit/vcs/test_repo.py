"""Where a repository is, where HEAD is, what git says when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import NotFound, OutsideWorld, StateRefused
from mlops_cli.vcs.objects import check, read
from mlops_cli.vcs.repo import Git, Head, find_root


def made(path: Path) -> Git:
    git = Git.init(path)
    git.run("config", "user.name", "Ada")
    git.run("config", "user.email", "ada@example.com")
    git.run("config", "commit.gpgsign", "false")
    git.run("symbolic-ref", "HEAD", "refs/heads/main")
    return git


def committed(path: Path) -> Git:
    git = made(path)
    (path / "a.txt").write_text("a\n")
    git.run("add", ".")
    git.run("commit", "-q", "-m", "first")
    return git


def test_find_root_looks_upwards(tmp_path: Path) -> None:
    assert find_root(tmp_path) is None
    made(tmp_path / "r")
    inner = tmp_path / "r" / "x" / "y"
    inner.mkdir(parents=True)
    assert find_root(inner) == tmp_path / "r"


def test_head_follows_branches_packed_refs_and_detachment(tmp_path: Path) -> None:
    git = made(tmp_path)
    assert git.head() == Head(None, "main")
    git = committed(tmp_path)
    commit = git.run("rev-parse", "HEAD")
    assert git.head() == Head(commit, "main")
    git.run("pack-refs", "--all", "--prune")
    assert git.head() == Head(commit, "main")
    git.run("checkout", "-q", "-b", "feature/x")
    assert git.head() == Head(commit, "feature/x")
    git.run("checkout", "-q", "--detach")
    assert git.head() == Head(commit, None)


def test_a_linked_work_tree_has_its_own_head_and_shares_the_rest(tmp_path: Path) -> None:
    git = committed(tmp_path / "r")
    git.run("worktree", "add", "-q", "-b", "side", str(tmp_path / "w"))
    side = Git(tmp_path / "w")
    assert side.head() == Head(git.head().commit, "side")
    assert side.common_dir == git.common_dir.resolve()
    assert find_root(tmp_path / "w") == tmp_path / "w"


def test_outside_of_git_the_error_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(StateRefused) as refused:
        Git(tmp_path).head()
    assert refused.value.code == "not-a-git-repository"
    assert refused.value.hint == "git init && mlops init"


def test_identity_is_read_and_never_guessed(tmp_path: Path) -> None:
    assert str(made(tmp_path).identity()) == "Ada <ada@example.com>"


def test_dirty_names_changed_staged_deleted_and_new_files(tmp_path: Path) -> None:
    git = committed(tmp_path)
    assert git.dirty() == []
    (tmp_path / "a.txt").write_text("b\n")
    (tmp_path / "new ü.txt").write_text("n\n")
    assert git.dirty() == ["a.txt", "new ü.txt"]
    assert git.dirty(untracked=False) == ["a.txt"]
    assert git.dirty(["a.txt"]) == ["a.txt"]
    assert git.dirty(["*.txt"]) == []  # a name, not a pattern


def test_show_returns_bytes_or_none(tmp_path: Path) -> None:
    git = committed(tmp_path)
    assert git.show("HEAD", "a.txt") == b"a\n"
    assert git.show("HEAD", "b.txt") is None
    assert git.show("nowhere", "a.txt") is None
    assert git.show("HEAD", "odd\nname") is None


def test_an_unknown_revision_is_named(tmp_path: Path) -> None:
    git = committed(tmp_path)
    assert git.rev_parse("main") == git.head().commit
    for hostile in ("nope", "--all", "-n1", ""):
        with pytest.raises(NotFound) as missing:
            git.rev_parse(hostile)
        assert missing.value.code == "unknown-revision"


def test_many_objects_are_read_in_order_with_gaps(tmp_path: Path) -> None:
    git = committed(tmp_path)
    (tmp_path / "bin").write_bytes(bytes(range(256)) * 300)
    git.run("add", ".")
    got = read(git, ["HEAD:a.txt", "HEAD:none", ":bin", "HEAD", "HEAD^{tree}", ""])
    assert [g.kind if g else None for g in got] == ["blob", None, "blob", "commit", "tree", None]
    assert got[2] is not None
    assert got[2].data == bytes(range(256)) * 300
    ids = [g.id if g else None for g in check(git, ["HEAD:a.txt", "none"])]
    assert ids == [git.run("rev-parse", "HEAD:a.txt"), None]


def test_a_failing_git_says_its_own_last_line(tmp_path: Path) -> None:
    git = committed(tmp_path)
    with pytest.raises(OutsideWorld) as failure:
        git.run("merge", "no-such-branch")
    assert failure.value.code == "git-failed"
    assert "no-such-branch" in failure.value.message


def test_the_repository_of_a_hook_does_not_leak_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = committed(tmp_path / "mine")
    other = committed(tmp_path / "other")
    (other.root / "x").write_text("x")
    monkeypatch.setenv("GIT_DIR", str(other.git_dir))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.git_dir / "index"))
    assert mine.dirty() == []
