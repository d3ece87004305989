"""`mlops gc`: the disk is freed of what nothing needs, and never of the only copy of anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.store.cache import open_cache
from mlops_cli.store.files.ingest import ingest
from mlops_cli.workspace.pointer import Pointer, write_pointer

LATER = {"MLOPS_NOW": "2013-03-03T00:00:00+00:00"}  # two days after NOW


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    """A repository with one committed file, and a remote folder that has nothing yet."""
    (repo / ".gitignore").write_text("data.bin\n")
    (repo / ".mlops").mkdir()
    setting(repo, "remotes:\n  origin:\n    url: ../remote\n")
    change(repo)
    git("add", "-A")
    git("commit", "-qm", "data")
    return repo


def setting(project: Path, text: str) -> None:
    (project / ".mlops/.gitignore").write_text("cache\nconfig.local.yaml\n")
    with (project / ".mlops/config.local.yaml").open("a") as file:
        file.write(text)


def change(project: Path, size: int = 200_000, data: bytes = b"") -> bytes:
    """Track other bytes in the place of data.bin; nothing is committed."""
    data = data or os.urandom(size)
    (project / "data.bin").write_bytes(data)
    stored = ingest(project / "data.bin", cache=open_cache(project / ".mlops/cache"))
    write_pointer(project, Pointer("data.bin", stored.digest, "file", len(data), 1))
    return data


def stored(project: Path) -> int:
    return len(list((project / ".mlops/cache/objects").glob("*/*")))


def test_gc_on_main_loses_nothing_of_another_branch(project: Path, mlops: Any, git: Any) -> None:
    git("checkout", "-qb", "work")
    mine = change(project)
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
    change(project)
    mlops("push", code=0)
    change(project)  # what was pushed is named by nobody: it was never committed

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
    change(project)
    change(project)

    refused = mlops("gc", "--grace", "0", "--json", code=0).data["refused"]
    assert (refused["objects"], refused["named"][0]["why"]) == (1, "unpushed")
    assert "mlops push" in mlops("gc", "--grace", "0", code=0).stdout
    named = mlops("gc", "--grace", "0", refused["named"][0]["digest"], "--json", code=0)
    assert named.data["removed"]["objects"] == 1
    change(project)
    assert mlops("gc", "--grace", "0", "--unpushed", "--json").data["removed"]["objects"] == 1


def test_a_remote_that_does_not_answer_holds_nothing(project: Path, mlops: Any) -> None:
    change(project)
    mlops("push", code=0)
    change(project)
    local = project / ".mlops/config.local.yaml"
    local.write_text(local.read_text().replace("../remote", "/not/mounted/remote"))

    answer = mlops("gc", "--grace", "0", "--json", code=0)
    assert answer.data["removed"]["objects"] == 0
    assert answer.data["refused"]["objects"] == 1
    assert answer.json["warnings"] and "origin" in answer.data["unheard"][0]


def test_history_beyond_the_reflog_is_dropped_only_from_the_cache(
    project: Path, mlops: Any, git: Any
) -> None:
    old = (project / "data.bin").read_bytes()
    change(project)
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
    change(project)
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
    setting(project, "cache:\n  budget: 100kB\n")

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
    large = change(project, 3_000_000)  # travels as chunks
    setting(project, "cache:\n  budget: 1MB\n")
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
    setting(project, "cache:\n  budget: 100kB\n")
    assert mlops("gc", "--evict", "--json", code=0).data["evicted"]["objects"] == 0
    assert stored(project) == 1


def test_compact_folds_what_the_work_tree_does_not_use(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    old = change(project, 3_000_000)
    git("commit", "-qam", "large")
    change(project, data=old + b"a line more")
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
        (root / ".mlops").mkdir(exist_ok=True)
        setting(root, f"cache:\n  shared: {shared}\n")
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
    (clone / ".mlops").mkdir(exist_ok=True)
    setting(clone, f"cache:\n  readonly:\n    team: {project / '.mlops/cache'}\n")
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
