"""`mlops gc`: the disk is freed of what nothing needs, and never of the only copy of anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

LATER = {"MLOPS_NOW": "2013-03-03T00:00:00+00:00"}  # two days after NOW


@pytest.fixture
def project(repo: Path, mlops: Any, git: Any) -> Path:
    """A repository with one committed file, and a remote folder that has nothing yet."""
    (repo / "data.bin").write_bytes(os.urandom(200_000))
    mlops("add", "data.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")
    return repo


def change(project: Path, mlops: Any, size: int = 200_000) -> bytes:
    """Track other bytes in the place of data.bin; nothing is committed."""
    data = os.urandom(size)
    (project / "data.bin").write_bytes(data)
    mlops("add", "data.bin", code=0)
    return data


def stored(project: Path) -> int:
    return len(list((project / ".mlops/cache/objects").glob("*/*")))


def test_gc_on_main_loses_nothing_of_another_branch(project: Path, mlops: Any, git: Any) -> None:
    git("checkout", "-qb", "work")
    mine = change(project, mlops)
    git("commit", "-qam", "unpushed")
    git("checkout", "-q", "main")
    mlops("checkout", code=0)

    for words in ([], ["--grace", "0"], ["--grace", "0", "--unpushed"]):
        assert mlops("gc", "--json", *words, env=LATER).data["removed"]["objects"] == 0
    git("checkout", "-q", "work")
    mlops("checkout", code=0)
    assert (project / "data.bin").read_bytes() == mine


def test_data_goes_at_the_second_look_and_only_if_a_remote_has_it(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    change(project, mlops)
    mlops("push", code=0)
    change(project, mlops)  # what was pushed is named by nobody: it was never committed

    first = mlops("gc", "--json", code=0)
    soon = mlops("gc", "--json", code=0, env={"MLOPS_NOW": "2013-03-01T23:59:00+00:00"})
    plan = mlops("gc", "--dry-run", "--json", code=0, env=LATER)
    assert stored(project) == 3
    second = mlops("gc", "--json", code=0, env=LATER)

    for result in (first, soon, plan, second):
        assert_valid(result.json)
    assert first.data["waiting"] == soon.data["waiting"] == {"objects": 1, "bytes": 200_000}
    assert plan.data["removed"] == second.data["removed"] == {"objects": 1, "bytes": 200_000}
    assert stored(project) == 2


def test_what_no_remote_holds_stays_until_that_is_wished(project: Path, mlops: Any) -> None:
    change(project, mlops)
    change(project, mlops)

    refused = mlops("gc", "--grace", "0", "--json", code=0).data["refused"]
    assert (refused["objects"], refused["named"][0]["why"]) == (1, "unpushed")
    assert "mlops push" in mlops("gc", "--grace", "0", code=0).stdout
    named = mlops("gc", "--grace", "0", refused["named"][0]["digest"], "--json", code=0)
    assert named.data["removed"]["objects"] == 1
    change(project, mlops)
    assert mlops("gc", "--grace", "0", "--unpushed", "--json").data["removed"]["objects"] == 1


def test_a_remote_that_does_not_answer_holds_nothing(project: Path, mlops: Any) -> None:
    change(project, mlops)
    mlops("push", code=0)
    change(project, mlops)
    (project.parent / "remote").rename(project.parent / "away")
    mlops("config", "set", "remotes.origin.url", "file:///nowhere/at/all", code=0)

    answer = mlops("gc", "--grace", "0", "--json", code=0)
    assert answer.data["removed"]["objects"] == 0
    assert answer.data["refused"]["objects"] == 1
    assert answer.json["warnings"] and "origin" in answer.data["unheard"][0]


def test_history_beyond_the_reflog_is_dropped_only_from_the_cache(
    project: Path, mlops: Any, git: Any
) -> None:
    old = (project / "data.bin").read_bytes()
    change(project, mlops)
    git("commit", "-qam", "newer")
    git("reflog", "expire", "--expire=now", "--all")

    refused = mlops("gc", "--grace", "0", "--unpushed", "--json").data["refused"]
    assert [one["why"] for one in refused["named"]] == ["history"]
    git("checkout", "-q", "HEAD~1")
    mlops("push", code=0)
    git("checkout", "-q", "main")
    git("reflog", "expire", "--expire=now", "--all")
    assert mlops("gc", "--grace", "0", "--json").data["removed"]["objects"] == 1
    git("checkout", "-q", "HEAD~1")
    mlops("pull", "--force", code=0)
    assert (project / "data.bin").read_bytes() == old


def test_a_pin_keeps_what_it_names(project: Path, mlops: Any, git: Any) -> None:
    change(project, mlops)
    git("commit", "-qam", "newer")
    commit = git("rev-parse", "HEAD~1").strip()
    (project / ".mlops/pins").write_text(f"{commit}  # the paper was written with this\n")
    mlops("push", code=0)
    git("reflog", "expire", "--expire=now", "--all")
    everything = {"objects": 0, "bytes": 0}
    assert mlops("gc", "--grace", "0", "--json").data["removed"] == everything
    (project / ".mlops/pins").write_text("no-such-thing\n")
    assert mlops("gc", "--json").error["code"] == "unknown-revision"


def test_a_cache_keeps_to_its_budget_with_what_remotes_have(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    assert mlops("gc", "--evict", "--json").error["code"] == "no-budget"
    mlops("config", "set", "cache.budget", "100kB", code=0)

    alone = mlops("gc", "--evict", "--json", code=0)
    assert_valid(alone.json)
    assert (alone.data["evicted"]["objects"], alone.data["evicted"]["unverified"]) == (0, 200_000)
    mlops("push", code=0)
    answer = mlops("gc", "--evict", "--json", code=0).data["evicted"]
    assert (stored(project), answer["use"] <= 100_000) == (0, True)
    (project / "data.bin").unlink()
    mlops("pull", code=0)
    assert (project / "data.bin").stat().st_size == 200_000


def test_a_push_brings_the_cache_to_its_budget(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    large = change(project, mlops, 3_000_000)  # travels as chunks
    mlops("config", "set", "cache.budget", "1MB", code=0)
    answer = mlops("push", "--json", code=0)
    assert_valid(answer.json)
    assert answer.data["evicted"] == {"objects": 1, "bytes": 3_000_000}
    (project / "data.bin").unlink()
    mlops("pull", code=0)
    assert (project / "data.bin").read_bytes() == large


def test_a_copy_that_is_damaged_there_is_not_relied_upon(project: Path, mlops: Any) -> None:
    mlops("push", code=0)
    pack = next(
        path for path in (project.parent / "remote").rglob("*") if path.stat().st_size > 100_000
    )
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    mlops("config", "set", "cache.budget", "100kB", code=0)
    assert mlops("gc", "--evict", "--json", code=0).data["evicted"]["objects"] == 0
    assert stored(project) == 1


def test_compact_folds_what_the_work_tree_does_not_use(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    old = change(project, mlops, 3_000_000)
    git("commit", "-qam", "large")
    (project / "data.bin").write_bytes(old + b"a line more")
    mlops("add", "data.bin", code=0)
    git("commit", "-qam", "larger")

    plan = mlops("gc", "--compact", "--dry-run", "--json", code=0)
    done = mlops("gc", "--compact", "--json", code=0)
    assert_valid(done.json)
    assert plan.data["folded"]["objects"] == done.data["folded"]["objects"] == 1
    git("checkout", "-q", "HEAD~1")
    mlops("checkout", code=0)
    assert (project / "data.bin").read_bytes() == old
    mlops("verify", code=0)


def test_the_projects_of_a_shared_cache_are_asked_first(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    other = tmp_path / "other"
    git("clone", "-q", str(project), str(other))
    for root in (project, other):
        mlops("config", "set", "--local", "cache.shared", str(shared), cwd=root, code=0)
    mlops("add", "data.bin", code=0)
    (other / "theirs.bin").write_bytes(b"theirs" * 100_000)
    mlops("add", "theirs.bin", cwd=other, code=0)

    wide = ("gc", "--grace", "0", "--unpushed", "--json")
    assert mlops(*wide, code=0).data["removed"]["objects"] == 0
    (other / ".git").rename(other / ".git-away")
    refused = mlops(*wide)
    assert (refused.code, refused.error["code"]) == (30, "project-unreadable")
    assert str(shared / "projects") in refused.error["hint"]
    (other / ".git-away").rename(other / ".git")
    (other / "theirs.bin.mlops").unlink()
    assert mlops(*wide, code=0).data["removed"]["objects"] == 1
    assert shared.stat().st_mode & 0o2770 == 0o2770


def test_what_is_only_read_from_another_cache_is_as_good_as_here(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", str(project), str(clone))
    settings = ("config", "set", "--local", "cache.readonly.team")
    mlops(*settings, str(project / ".mlops/cache"), cwd=clone, code=0)
    mlops("checkout", cwd=clone, code=0)
    assert (clone / "data.bin").read_bytes() == (project / "data.bin").read_bytes()
    assert not (clone / ".mlops/cache/objects").exists()


def test_a_bad_duration_is_told(project: Path, mlops: Any) -> None:
    assert mlops("gc", "--grace", "soon", "--json").error["code"] == "bad-options"
    assert mlops("config", "set", "cache.budget", "lots", "--json").error["code"] == "bad-setting"


def test_a_second_gc_does_not_run_beside_the_first(project: Path, mlops: Any) -> None:
    import fcntl

    lock = project / ".mlops/cache/gc/.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        result = mlops("gc", "--json")
    assert (result.code, json.loads(result.stdout)["error"]["code"]) == (30, "locked")
