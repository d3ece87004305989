"""`mlops runs recover | compact`, and the ledger on its way: refspec, queue, branch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.record import Record, record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 1, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}
BRANCH = "mlops-ledger"


def said(n: int) -> Record:
    return record("feedback", time=WHEN + timedelta(days=n), actor="Ada", **NOTE, n=n)


def written(root: Path) -> set[int]:
    from mlops_cli.ledger.index import open_index

    with open_index(Git(root)) as index:
        return {one["n"] for one in index.newest("feedback")}


@pytest.fixture
def hub(repo: Path, git: Callable[..., str], tmp_path: Path) -> Path:
    (repo / "pipeline.yaml").write_text("version: 1\nproject: {name: p}\nsteps: {}\n")
    (repo / ".gitignore").write_text("/.mlops/*\n!/.mlops/config.yaml\n")
    (repo / ".mlops").mkdir()
    url = tmp_path / "store"
    (repo / ".mlops/config.yaml").write_text(
        f"remote: {{default: store}}\nremotes: {{store: {{url: 'file://{url}'}}}}\n"
    )
    git("add", "-A")
    git("commit", "-qm", "first")
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "hub"))
    git("remote", "add", "origin", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def other(hub: Path, git: Callable[..., str], tmp_path: Path) -> Path:
    git("clone", "-q", "-b", "main", str(hub), str(tmp_path / "other"))
    for name, value in (("name", "Grace"), ("email", "grace@example.org")):
        git("config", f"user.{name}", value, cwd=tmp_path / "other")
    (tmp_path / "other/.mlops").mkdir(exist_ok=True)
    return tmp_path / "other"


def test_a_plain_git_fetch_brings_the_records_once_git_was_told(
    repo: Path, other: Path, mlops: Any, git: Any
) -> None:
    open_ledger(Git(repo)).append(said(1))
    mlops("push", code=0)
    spec = git("config", "--get-all", "remote.origin.fetch")
    assert "+refs/mlops/ledger/*:refs/mlops/remotes/origin/ledger/*" in spec
    assert mlops("hooks", "install", "--json", cwd=other, code=0).data["refspec"]
    assert written(other) == set()
    git("fetch", "-q", cwd=other)
    assert written(other) == {1}
    assert git("branch", "--all", cwd=other).count("\n") <= 3, "no branch came with them"
    mlops("hooks", "uninstall", cwd=other, code=0)
    assert "mlops" not in git("config", "--get-all", "remote.origin.fetch", cwd=other)


def test_records_wait_while_the_remote_cannot_be_reached(
    repo: Path, hub: Path, mlops: Any, git: Any
) -> None:
    hub.rename(hub.with_name("away"))
    open_ledger(Git(repo)).append(said(1))
    assert "were not sent" in mlops("push", code=0).stderr
    open_ledger(Git(repo)).append(said(2))
    hub.with_name("away").rename(hub)
    mlops("push", code=0)
    (ref,) = git("for-each-ref", "--format=%(refname)", "refs/mlops/", cwd=hub).split()
    assert git("ls-tree", "-r", "--name-only", ref, cwd=hub).count(".json") == 2


def test_a_git_push_takes_the_records_along(repo: Path, hub: Path, mlops: Any, git: Any) -> None:
    open_ledger(Git(repo)).append(said(1))
    commit = git("rev-parse", "HEAD").strip()
    told = f"refs/heads/main {commit} refs/heads/main {commit}\n"
    mlops("hooks", "run", "pre-push", "origin", str(hub), input=told, code=0)
    assert len(refs.tips(Git(hub), refs.LEDGER)) == 1


def test_old_writers_fold_and_all_clones_follow(
    repo: Path, other: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    for n in range(3):
        Ledger(Git(repo), f"job-{n}", repo / ".mlops/spool").append(said(n), said(40 + n))
    mine = open_ledger(Git(repo))
    mine.append(said(100))
    mlops("push", code=0)
    mlops("pull", cwd=other, code=0)
    env = {"MLOPS_NOW": "2013-04-15T00:00:00Z"}
    planned = mlops("runs", "compact", "--dry-run", "--json", env=env, code=0)
    assert_valid(planned.json)
    assert planned.data["writers"] == ["job-0", "job-1", "job-2"]
    assert len(refs.tips(Git(repo), refs.LEDGER)) == 4
    done = mlops("runs", "compact", "--json", env=env, code=0)
    assert done.data == planned.data | {"dry_run": False}
    left = [mine.ref, refs.LEDGER + refs.SEGMENTS]
    hub = Git(repo.parent / "hub")
    assert sorted(refs.tips(hub, refs.LEDGER)) == sorted(left)
    assert git("ls-tree", "-r", "--name-only", left[1], cwd=hub.root).split() == [
        "folded",
        "months/2013-01.jsonl",
        "months/2013-02.jsonl",
    ]
    mlops("pull", cwd=other, code=0)
    everything = {0, 1, 2, 40, 41, 42, 100}
    for root in (repo, other):
        assert list(refs.tips(Git(root), refs.LEDGER)) == [mine.ref]
        assert written(root) == everything
        (root / ".mlops/index.sqlite").unlink()
        assert written(root) == everything
    mlops("push", cwd=other, code=0)  # brings nothing back
    assert sorted(refs.tips(hub, refs.LEDGER)) == sorted(left)
    screen = mlops("runs", "compact", env=env, code=0).stdout
    assert screen.startswith("Nothing to fold")
    assert mlops("runs", "compact", "--older", "soon", "--json", code=2).error["code"] == (
        "bad-options"
    )


def test_gc_folds_idle_writers_when_it_compacts_and_never_fails_for_it(
    repo: Path, hub: Path, mlops: Any, assert_valid: Any
) -> None:
    for n in range(2):
        Ledger(Git(repo), f"job-{n}", repo / ".mlops/spool").append(said(n))
    mine = open_ledger(Git(repo))
    mine.append(said(100))
    env = {"MLOPS_NOW": "2013-04-15T00:00:00Z"}
    assert mlops("gc", "--json", env=env, code=0).data["ledger"] is None, "nobody asked"
    away = hub.rename(hub.with_name("away"))
    done = mlops("gc", "--compact", "--json", env=env, code=0)
    assert_valid(done.json)
    assert done.data["ledger"] is None
    assert "the ledger was not folded" in "".join(done.json["warnings"])
    away.rename(hub)
    mlops("push", code=0)
    screen = mlops("gc", "--compact", "--dry-run", env=env, code=0).stdout
    assert "Would fold" in screen and "idle writers" in screen
    done = mlops("gc", "--compact", "--json", env=env, code=0)
    assert_valid(done.json)
    assert done.data["ledger"] == {"writers": ["job-0", "job-1"], "records": 2}
    assert refs.LEDGER + "job-0" not in refs.tips(Git(repo), refs.LEDGER)
    assert written(repo) == {0, 1, 100}


def test_a_forge_that_refuses_other_refs_gets_one_branch(
    repo: Path, other: Path, hub: Path, mlops: Any, git: Any
) -> None:
    git("config", "receive.hideRefs", "refs/mlops", cwd=hub)
    open_ledger(Git(repo)).append(said(1))
    refused = mlops("push", code=0).stderr
    assert "does not take refs under refs/mlops/ledger/" in refused
    for root in (repo, other):
        mlops("config", "set", "ledger.branch", BRANCH, cwd=root, code=0)
    mlops("push", code=0)
    open_ledger(Git(other)).append(said(2))
    mlops("push", cwd=other, code=0)
    mlops("pull", code=0)
    assert written(repo) == written(other) == {1, 2}
    spec = git("config", "--get-all", "remote.origin.fetch").splitlines()
    assert spec[1:] == [f"+refs/heads/{BRANCH}*:refs/mlops/remotes/origin/ledger_branch*"]
    later = {"MLOPS_NOW": "2014-01-01T00:00:00Z"}
    assert len(mlops("runs", "compact", "--json", env=later, code=0).data["writers"]) == 2
    assert git("ls-tree", "--name-only", BRANCH, cwd=hub) == "_segments\n"
    open_ledger(Git(other)).append(said(3))
    mlops("push", cwd=other, code=0)
    git("fetch", "-q")
    assert written(repo) == written(other) == {1, 2, 3}
    assert git("branch", "--list", cwd=hub).split() == ["*", "main", BRANCH]


def test_recover_writes_down_what_killed_processes_left(
    repo: Path, hub: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (repo / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  fit: {cmd: echo half > fit.txt, outs: [fit.txt]}\n"
    )
    mlops("run", code=0)
    marker = {
        "step": "fit", "run": "20130201T000000-abc123", "kind": "command", "key": "sha256:1",
        "started": "2013-02-01T00:00:00.000Z", "outs": {"fit.txt": False}, "inputs": {},
        "params": {"lr": 1}, "keeping": {},
    }  # fmt: skip
    folder = repo / ".mlops/tmp/running"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fit.json").write_text(json.dumps(marker) + "\n\n")
    open_ledger(Git(repo)).spool(said(7))
    (spooled,) = (repo / ".mlops/spool").glob("*.jsonl")
    spooled.rename(spooled.with_name("999999.jsonl"))
    planned = mlops("runs", "recover", "--dry-run", "--json", code=0)
    assert_valid(planned.json)
    assert (planned.data["waiting"], len(planned.data["attempts"])) == (1, 1)
    assert (repo / "fit.txt").exists()
    done = mlops("runs", "recover", "--json", code=0)
    assert_valid(done.json)
    assert len(done.data["records"]) == 2
    assert not (repo / "fit.txt").exists(), "what a killed attempt wrote is taken back"
    killed = mlops("runs", "search", "status = killed", "--json", code=0).data["records"]
    assert [one["run"] for one in killed] == [marker["run"]]
    assert written(repo) == {7}
    assert mlops("runs", "recover", code=0).stdout == "Nothing was left behind.\n"


def test_the_log_of_a_step_is_kept_without_what_looks_like_a_secret(
    repo: Path, hub: Path, mlops: Any
) -> None:
    (repo / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  fit: {cmd: 'cat .mlops/env; echo 1 > fit.txt', outs: [fit.txt]}\n"
    )
    (repo / ".mlops/env").write_text("url=db://me:hunter2@host\n")
    assert "showed what looks like a secret: url-password" in mlops("run", code=0).stderr
    (step,) = mlops("runs", "show", "--json", code=0).data["steps"]
    (repo / ".mlops/env").unlink()
    said = subprocess.run(
        ["grep", "-r", "--binary-files=text", "hunter2", str(repo / ".mlops")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == "", "neither in the cache nor in the local log"
    assert step["log"]
