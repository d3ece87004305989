"""A commit of exactly the named paths never disturbs what the person has staged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_cli.errors import OutsideWorld, StateRefused
from mlops_cli.vcs.commit import commit_paths
from mlops_cli.vcs.repo import Git


def git_repo(path: Path, *, first: bool = True) -> Git:
    git = Git.init(path)
    for key, value in {
        "user.name": "Ada",
        "user.email": "ada@example.com",
        "commit.gpgsign": "false",
        "tag.gpgsign": "false",
    }.items():
        git.run("config", key, value)
    git.run("symbolic-ref", "HEAD", "refs/heads/main")
    if first:
        (path / "a.txt").write_text("one\ntwo\nthree\n")
        (path / "b.txt").write_text("b\n")
        git.run("add", ".")
        git.run("commit", "-q", "-m", "first")
    return git


def status(git: Git) -> str:
    return git.run("status", "--porcelain")


def test_commits_added_changed_and_deleted_files_and_nothing_else(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "new.txt").write_text("new\n")
    (tmp_path / "a.txt").write_text("changed\n")
    (tmp_path / "b.txt").unlink()
    (tmp_path / "other.txt").write_text("not mine\n")
    commit = commit_paths(
        git,
        ["new.txt", "a.txt", "b.txt"],
        subject="run: all\nof it",
        body="Because.",
        trailers={"Mlops-Run": "r1", "Mlops-Steps": "a, b"},
    )
    assert git.head().commit == commit
    assert git.head().branch == "main"
    assert status(git) == "?? other.txt"
    named = git.run("show", "--name-status", "--format=", commit).split()
    assert named == ["M", "a.txt", "D", "b.txt", "A", "new.txt"]
    assert git.run("log", "-1", "--format=%s|%(trailers:key=Mlops-Run,valueonly)").strip() == (
        "run: all of it|r1"
    )
    assert git.run("log", "-1", "--format=%an <%ae>") == "Ada <ada@example.com>"
    assert "commit (mlops): run: all" in git.run("reflog", "-1")


def test_a_staged_other_file_stays_staged_and_uncommitted(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "b.txt").write_text("staged\n")
    git.run("add", "b.txt")
    (tmp_path / "b.txt").write_text("staged, then edited\n")
    (tmp_path / "lock.json").write_text("{}\n")
    commit_paths(git, ["lock.json"], subject="s")
    assert status(git) == "MM b.txt"
    assert git.run("show", ":b.txt") == "staged"
    assert git.run("show", "HEAD:b.txt") == "b"


def test_a_staged_deletion_of_another_file_stays_staged(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    git.run("rm", "-q", "--cached", "b.txt")
    (tmp_path / "lock.json").write_text("{}\n")
    commit_paths(git, ["lock.json"], subject="s")
    assert status(git).splitlines() == ["D  b.txt", "?? b.txt"]


def test_a_staged_version_of_the_same_file_gives_way_to_the_work_tree(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "a.txt").write_text("staged\n")
    git.run("add", "a.txt")
    (tmp_path / "a.txt").write_text("final\n")
    commit_paths(git, ["a.txt"], subject="s")
    assert git.run("show", "HEAD:a.txt") == "final"
    assert status(git) == ""


def test_a_partly_staged_hunk_of_another_file_stays_as_it_was(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "a.txt").write_text("ONE\ntwo\nTHREE\n")
    patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n"
    git.run("apply", "--cached", "-", input=patch)
    before = git.run("diff", "--cached")
    (tmp_path / "lock.json").write_text("{}\n")
    commit_paths(git, ["lock.json"], subject="s")
    assert git.run("diff", "--cached") == before
    assert git.run("show", ":a.txt") == "ONE\ntwo\nthree"
    assert (tmp_path / "a.txt").read_text() == "ONE\ntwo\nTHREE\n"


def test_nothing_to_commit_returns_the_present_head(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    before = git.head().commit
    assert commit_paths(git, ["a.txt", "never-there.txt"], subject="s") == before


def test_the_first_commit_of_an_unborn_branch(tmp_path: Path) -> None:
    git = git_repo(tmp_path, first=False)
    (tmp_path / "x").write_text("x")
    (tmp_path / "y").write_text("y")
    git.run("add", "y")
    commit = commit_paths(git, ["x"], subject="s")
    assert git.head().commit == commit
    assert git.head().branch == "main"
    assert git.run("ls-tree", "--name-only", "HEAD") == "x"
    assert status(git) == "A  y"


def test_a_detached_head_moves_and_no_branch_does(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    main = git.run("rev-parse", "main")
    git.run("checkout", "-q", "--detach")
    (tmp_path / "x").write_text("x")
    commit = commit_paths(git, ["x"], subject="s")
    assert git.head().commit == commit
    assert git.head().branch is None
    assert git.run("rev-parse", "main") == main


def test_mode_bits_links_folders_and_hostile_names_survive(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / ".gitignore").write_text("*.tmp\nout/\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    (folder / "junk.tmp").write_text("ignored inside a folder")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "named.json").write_text("ignored, but named")
    names = ["-n", "*.txt", ":(top)x", "a b\tc", "né\u2028"]
    for name in names:
        (tmp_path / name).write_text(name)
    commit_paths(git, ["folder", "out/named.json", ".gitignore", *names], subject="s")
    tree = git.run("ls-tree", "-r", "-z", "HEAD").split("\0")
    modes = {row.partition("\t")[2]: row[:6] for row in tree if row}
    assert modes["folder/run.sh"] == "100755"
    assert modes["folder/link"] == "120000"
    assert "folder/junk.tmp" not in modes
    assert "out/named.json" in modes
    assert set(names) <= set(modes)
    assert status(git) == ""
    shutil.rmtree(folder)
    commit_paths(git, ["folder"], subject="gone")
    assert "folder" not in git.run("ls-tree", "--name-only", "HEAD").split()
    assert status(git) == ""


def test_a_file_that_became_a_folder_is_replaced(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "b.txt").unlink()
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "b.txt" / "inner").write_text("x")
    commit_paths(git, ["b.txt"], subject="s")
    assert "b.txt/inner" in git.run("ls-tree", "-r", "--name-only", "HEAD")
    assert status(git) == ""


def test_a_merge_in_progress_is_refused_and_left_alone(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    git.run("checkout", "-q", "-b", "side")
    (tmp_path / "a.txt").write_text("side\n")
    git.run("commit", "-q", "-am", "side")
    git.run("checkout", "-q", "main")
    (tmp_path / "a.txt").write_text("main\n")
    git.run("commit", "-q", "-am", "main")
    git.run("merge", "side", check=False)
    before = status(git)
    (tmp_path / "x").write_text("x")
    with pytest.raises(StateRefused) as refused:
        commit_paths(git, ["x"], subject="s")
    assert refused.value.code == "git-busy"
    assert "merge" in refused.value.message
    assert status(git).splitlines() == [*before.splitlines(), "?? x"]


def test_no_identity_is_refused_before_anything_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    git = Git.init(tmp_path / "repo")
    (git.root / "x").write_text("x")
    with pytest.raises(StateRefused) as refused:
        commit_paths(git, ["x"], subject="s")
    assert refused.value.code == "no-identity"
    assert "git config" in (refused.value.hint or "")
    assert status(git) == "?? x"
    with pytest.raises(StateRefused):
        git.identity()


def test_hooks_of_the_person_do_not_run(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    for name in ("pre-commit", "commit-msg", "post-commit"):
        hook = tmp_path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\ntouch hook-ran\nexit 1\n")
        hook.chmod(0o755)
    (tmp_path / "x").write_text("x")
    commit_paths(git, ["x"], subject="s")
    assert not (tmp_path / "hook-ran").exists()


def test_a_held_index_is_waited_for_then_refused_without_a_commit(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    before = git.head().commit
    (tmp_path / ".git" / "index.lock").touch()
    (tmp_path / "x").write_text("x")
    with pytest.raises(StateRefused) as refused:
        commit_paths(git, ["x"], subject="s")
    assert refused.value.code == "git-busy"
    assert git.head().commit == before
    assert not list((tmp_path / ".git").glob("mlops-index-*"))


def test_commits_from_many_threads_all_arrive(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    for n in range(12):
        (tmp_path / f"lock{n}").write_text(str(n))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: commit_paths(git, [f"lock{n}"], subject=f"s{n}"), range(12)))
    assert git.run("rev-list", "--count", "HEAD") == "13"
    assert status(git) == ""


def test_an_index_left_by_a_killed_process_is_swept(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / ".git" / f"mlops-index-{dead.pid}-abc"
    left.touch()
    commit_paths(git, ["a.txt"], subject="s")
    assert not left.exists()


def test_commits_are_signed_when_git_is_set_to_sign(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    key = tmp_path.parent / f"{tmp_path.name}-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "commit.gpgsign": "true",
    }.items():
        git.run("config", name, value)
    (tmp_path / "x").write_text("x")
    commit = commit_paths(git, ["x"], subject="s")
    assert "BEGIN SSH SIGNATURE" in git.run("cat-file", "commit", commit)


def test_a_file_beyond_a_link_is_an_error_in_gits_words(tmp_path: Path) -> None:
    git = git_repo(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_text("x")
    (tmp_path / "linked").symlink_to("real")
    with pytest.raises(OutsideWorld) as failure:
        commit_paths(git, ["linked/x"], subject="s")
    assert failure.value.code == "git-failed"
