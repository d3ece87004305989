"""From the first object to the last name of a result, gc is held off."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.ledger.append import open_ledger
from mlops_cli.pipeline.planning.look import SMALL
from mlops_cli.pipeline.running.settle import Settling
from mlops_cli.pipeline.traces import runcache
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.store import lease
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.vcs.repo import Git


def swept(cache: Cache) -> bool:
    """Whether a sweep could begin now."""
    try:
        with lease.exclusive(cache.root, wait=0):
            return True
    except StateRefused:
        return False


@pytest.mark.parametrize("size", [3, SMALL + 1])
def test_gc_waits_until_what_was_stored_is_named(
    repo: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(repo / ".mlops/cache")
    settling = Settling(repo, cache, None, open_ledger(Git(repo)))
    (repo / "out.bin").write_bytes(bytes(size))
    assert swept(cache)
    output = settling.store("out.bin")
    assert not swept(cache)
    settling._results.append((Lock("step", "0" * 64, {}, {"out.bin": output}), "0" * 64))
    named: list[bool] = []
    remember = runcache.remember
    monkeypatch.setattr(
        runcache, "remember", lambda *words: (named.append(swept(cache)), remember(*words))
    )
    settling.flush()
    assert named == [False]
    assert swept(cache)
    assert output.digest in (repo / ".mlops/lock/step.json").read_text()


def test_what_cannot_be_stored_does_not_hold_gc_for_good(repo: Path) -> None:
    cache = open_cache(repo / ".mlops/cache")
    settling = Settling(repo, cache, None, open_ledger(Git(repo)))
    with pytest.raises(NotFound):
        settling.store("nothing")
    assert not swept(cache)
    settling.flush()
    assert swept(cache)
