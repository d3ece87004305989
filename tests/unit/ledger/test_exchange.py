"""Two clones exchange what happened and what is registered through one git remote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import record
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs import exchange
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}


def test_a_fresh_clone_sees_all_runs_and_models(git: Git, tmp_path: Path) -> None:
    assert exchange.remote_of(git) is None
    git.run("clone", "-q", "--bare", str(git.root), str(tmp_path / "bare"))
    git.run("remote", "add", "origin", str(tmp_path / "bare"))
    assert exchange.remote_of(git) == "origin"
    one = record("feedback", time=WHEN, actor="a", **NOTE, n=1)
    open_ledger(git).append(one)
    payload = {"digest": "sha256:" + "1" * 64, "format": "onnx", "created": WHEN.isoformat()}
    Registry(git).create("delay", payload)
    exchange.send(git, "origin")
    exchange.send(git, "origin")

    git.run("clone", "-q", str(tmp_path / "bare"), str(tmp_path / "other"))
    other = Git(tmp_path / "other")
    other.run("config", "user.name", "Grace")
    other.run("config", "user.email", "grace@example.com")
    assert exchange.remote_of(other) == "origin"
    received = exchange.receive(other, "origin")
    assert received.refs == 1
    with open_index(other) as index:
        assert index.get(one.digest) == one
    assert Registry(other).resolve("delay").number == 1

    two = record("feedback", time=WHEN, actor="b", **NOTE, n=2)
    open_ledger(other).append(two)
    exchange.send(other, "origin")
    assert exchange.receive(git, "origin") == exchange.Moved(refs=1, tags=0)
    with open_index(git) as index:
        assert {r.digest for r in index.newest()} == {one.digest, two.digest}


def test_a_project_without_anything_to_send_sends_nothing(git: Git, tmp_path: Path) -> None:
    git.run("clone", "-q", "--bare", str(git.root), str(tmp_path / "bare"))
    exchange.send(git, str(tmp_path / "bare"))
    assert exchange.remote_of(git) is None
