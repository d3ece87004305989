"""What a project needs: wherever in git a pointer, a lock or an environment can stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import NotFound, OutsideWorld
from mlops_cli.ledger import roots as ledger
from mlops_cli.store.digest import Digest
from mlops_cli.store.space.collect import Named
from mlops_cli.vcs import history
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.pointer import Pointer, write_pointer
from mlops_cli.workspace.roots import Memory, in_workspace, pins, roots


def point(root: Path, path: str, what: str) -> bytes:
    """Write a pointer to the digest of the word `what`; return that, raw."""
    digest = Digest.of(what.encode())
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    write_pointer(root, Pointer(path, digest, "file", 1, 1))
    return digest.raw


def commit(git: Any, root: Path, what: str = "x") -> None:
    git("add", "-A", cwd=root)
    git("commit", "-qm", what, cwd=root)


def test_every_place_where_git_keeps_something_is_looked_into(repo: Path, git: Any) -> None:
    places = {}
    places["tip"] = point(repo, "deep/er/tip", "tip")
    commit(git, repo)
    git("checkout", "-qb", "gone")
    places["reflog of HEAD"] = point(repo, "reflog", "reflog of HEAD")
    commit(git, repo)
    git("checkout", "-q", "main")
    git("branch", "-qD", "gone")
    places["stashed"] = point(repo, "deep/er/tip", "stashed")
    places["stashed and untracked"] = point(repo, "fresh", "stashed and untracked")
    git("stash", "-q", "-u")
    places["staged, then changed"] = point(repo, "staged", "staged, then changed")
    git("add", "-A")
    places["changed"] = point(repo, "staged", "changed")
    git("worktree", "add", "-q", "../beside", "main", "--detach")
    beside = repo.parent / "beside"
    places["another work tree"] = point(beside, "there", "another work tree")
    places["staged there"] = point(beside, "staged", "staged there")
    git("add", "staged.mlops", cwd=beside)
    (beside / "staged.mlops").unlink()
    for name, file in {
        "lock": ".mlops/lock/step.json",
        "environment": "environments/prod.yaml",
        "pin": ".mlops/pins",
    }.items():
        (repo / file).parent.mkdir(parents=True, exist_ok=True)
        (repo / file).write_text(f"{Digest.of(name.encode())}  # {name}\n")
        places[name] = Digest.of(name.encode()).raw

    found = roots(repo, Git(repo))
    assert not [name for name, raw in places.items() if raw not in found.now.digests]
    assert found.history == Named()


def test_what_only_older_commits_name_is_history(repo: Path, git: Any) -> None:
    old = point(repo, "data", "old")
    commit(git, repo)
    new = point(repo, "data", "new")
    commit(git, repo)
    assert roots(repo, Git(repo)).now.digests == {old, new}  # the reflog knows both
    git("reflog", "expire", "--expire=now", "--all")
    found = roots(repo, Git(repo))
    assert (found.now.digests, found.history.digests) == ({new}, {old})


def test_both_sides_of_a_conflict_are_needed(repo: Path, git: Any) -> None:
    point(repo, "data", "base")
    commit(git, repo)
    git("checkout", "-qb", "other")
    theirs = point(repo, "data", "theirs")
    commit(git, repo)
    git("checkout", "-q", "main")
    ours = point(repo, "data", "ours")
    commit(git, repo)
    Git(repo).call("merge", "other")
    assert {ours, theirs} <= in_workspace(repo, Git(repo)).digests


def test_a_repository_without_a_commit_has_what_its_files_name(repo: Path) -> None:
    raw = point(repo, "data", "fresh")
    assert roots(repo, Git(repo)).now.digests == {raw}


def test_a_pinned_revision_that_is_none_stops_everything(repo: Path, git: Any) -> None:
    raw = point(repo, "data", "old")
    commit(git, repo)
    (repo / ".mlops").mkdir(exist_ok=True)
    (repo / ".mlops/pins").write_text("# the paper\nmain\n")
    assert pins(repo, Git(repo)).digests == {raw}
    (repo / ".mlops/pins").write_text("mian\n")
    with pytest.raises(NotFound):
        roots(repo, Git(repo))


def test_a_repository_that_lost_an_object_stops_everything(repo: Path, git: Any) -> None:
    point(repo, "inner/data", "old")
    commit(git, repo)
    blob = git("rev-parse", "HEAD:inner/data.mlops").strip()
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(OutsideWorld):
        roots(repo, Git(repo))


def test_records_that_are_not_committed_yet_count(repo: Path) -> None:
    spool = repo / ".mlops/spool"
    spool.mkdir(parents=True)
    (spool / "1.jsonl").write_text(f'{"0" * 64} {{"outputs": {{"a": "{Digest.of(b"a")}"}}}}\n')
    assert ledger.roots(repo, Git(repo)).digests == {Digest.of(b"a").raw}


def test_hundreds_of_commits_cost_few_processes(repo: Path, git: Any) -> None:
    stream = b"".join(
        b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\n"
        b"M 100644 inline folder/%d/data.mlops\ndata <<.\nsha256:%064x\n.\n" % (n, n % 50, n)
        for n in range(500)
    )
    calls = []

    class Counting(Git):
        def call(self, *words: str, **options: Any) -> Any:
            calls.append(words)
            return Git.call(self, *words, **options)

    Git(repo).call("fast-import", "--quiet", input=stream)
    git("reset", "-q", "--hard", "main")
    found = roots(repo, Counting(repo))
    assert len(found.now.digests | found.history.digests) == 500
    assert len(calls) < 20


def test_asking_again_costs_only_what_is_new(repo: Path, git: Any) -> None:
    old = point(repo, "data", "old")
    commit(git, repo)
    memory = Memory()
    roots(repo, Git(repo), memory)
    git("checkout", "-qb", "other")
    new = point(repo, "data", "new")
    commit(git, repo)
    git("checkout", "-q", "main")
    staged = point(repo, "more", "staged")
    git("add", "-A")
    found = roots(repo, Git(repo), memory)
    assert {old, new, staged} == found.now.digests == roots(repo, Git(repo)).now.digests


def test_a_work_tree_that_was_deleted_by_hand_stops_nothing(repo: Path, git: Any) -> None:
    point(repo, "data", "x")
    commit(git, repo)
    git("worktree", "add", "-q", "../beside", "--detach")
    (repo.parent / "beside").rename(repo.parent / "elsewhere")
    assert history.worktrees(Git(repo)) == [repo]
    roots(repo, Git(repo))
