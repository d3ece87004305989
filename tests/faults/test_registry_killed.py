"""kill -9 at every write of registering and promoting: no version without its lineage, no event
without its version, here and on the remote, and the same command again completes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import record
from mlops_cli.registry import records
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.holdings import understood
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.verify import verify
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git

KILLS = int(os.environ.get("MLOPS_KILLS", "0"))  # of each, at random moments
STEP = 1 if KILLS else 3  # every write, or every third
WRITES = ("tag", "push", "update-ref", "fast-import", "fetch", "config", "hash-object")
WHEN = datetime(2013, 2, 1, tzinfo=UTC)
Work = Callable[[Git], Any]


def trained(n: int) -> Any:
    made = f"sha256:{n:064x}"
    return record("run", time=WHEN, actor="ada", step="train.delay", step_kind="train", key="k",
                  status="done", started="2013-02-01T00:00:00.000Z", seconds=1.0, inputs={},
                  outputs={"model.onnx": made}, run=f"r{n}")  # fmt: skip


def register(git: Git, n: int = 2) -> int:
    registry, ledger = Registry(git, "origin"), open_ledger(git)
    (run,) = ledger.append(trained(n))
    me = str(git.identity())
    made = registry.create("delay", {"digest": f"sha256:{n:064x}", "format": "onnx", "run": run,
                                     "created": WHEN.isoformat(), "actor": me})  # fmt: skip
    records.settle(registry, ledger, "delay")
    return made.number


def promote(git: Git) -> int:
    registry, ledger = Registry(git, "origin"), open_ledger(git)
    me = str(git.identity())
    event = registry.move("delay", "production", 1, policy={}, evidence={}, actor=me, reason="r",
                          time=WHEN)  # fmt: skip
    records.settle(registry, ledger, "delay")
    return event.number


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository, and a clone of it with one version."""
    base = tmp_path_factory.mktemp("killed") / "world"
    git = Git.init(base / "clone")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git.run("config", name, value)
    git.run("commit", "-q", "--allow-empty", "-m", "first")
    git.run("clone", "-q", "--bare", ".", str(base / "bare"))
    git.run("remote", "add", "origin", "../bare")
    assert register(git, 1) == 1
    return base


def died(work: Work, git: Git, after: int | None = None, wait: float | None = None) -> bool:
    """Do `work` in a process that is killed after its write number `after`, or after `wait`
    seconds; return whether it died of that."""
    child = os.fork()
    if child == 0:
        writes, call = 0, Git.call

        def counted(self: Git, *args: str, **more: Any) -> Any:
            nonlocal writes
            answer = call(self, *args, **more)
            writes += any(word in WRITES for word in args)
            if writes == after:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        Git.call = counted  # type: ignore[method-assign]
        try:
            work(git)
            os._exit(0)
        except BaseException:
            os._exit(1)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def sound(git: Git) -> None:
    """Confirm that what stands under a name has all that it names."""
    registry = Registry(git)
    with open_index(git) as index:
        for tag in tags.listing(git, "mlops/"):
            one = understood(tag)
            if isinstance(one, AliasEvent):
                assert registry.meant(one) is not None
            elif one is not None:
                assert one.run and index.get(one.run), f"{one.name} has no lineage"


def killed_and_sound(work: Work, world: Path, base: Path, **when: Any) -> bool:
    shutil.copytree(world, base)
    git, bare = Git(base / "clone"), Git(base / "bare")
    dead = died(work, git, **when)
    sound(git)
    sound(bare)
    number = work(git)  # the same again
    assert number == (2 if work is register else 1), "no number is lost"
    for place in (git, bare):
        assert verify(place)[1] == {}
        with open_index(place) as index:
            kind = "register" if work is register else "promotion"
            assert len(list(index.newest(kind))) == number, "a record each"
    return dead


@pytest.mark.parametrize("work", [register, promote])
def test_killed_after_any_write_nothing_stands_without_what_it_names(
    work: Work, world: Path, tmp_path: Path
) -> None:
    after = 1
    while killed_and_sound(work, world, tmp_path / f"after{after}", after=after):
        shutil.rmtree(tmp_path / f"after{after}")
        after += STEP
    assert after > 6, "append, send, fetch, make, push, place, append, send"


@pytest.mark.parametrize("work", [register, promote])
def test_killed_at_any_moment_nothing_stands_without_what_it_names(
    work: Work, world: Path, tmp_path: Path
) -> None:
    shutil.copytree(world, tmp_path / "whole")
    begun = time.monotonic()
    work(Git(tmp_path / "whole/clone"))
    usual = time.monotonic() - begun
    dice = random.Random(5)
    for n in range(KILLS):
        killed_and_sound(work, world, tmp_path / f"at{n}", wait=dice.uniform(0, usual))
        shutil.rmtree(tmp_path / f"at{n}")
