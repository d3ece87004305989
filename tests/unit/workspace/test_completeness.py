"""What was found whole is remembered only while the cache stays as it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mlops_cli.store.cache import open_cache
from mlops_cli.store.space import evict, removal
from mlops_cli.store.space.fold import fold
from mlops_cli.store.tier import open_tier
from mlops_cli.workspace import completeness


def test_a_folded_object_that_was_evicted_is_missed(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(os.urandom(1_500_000))
    fold(cache, [digest])
    completeness.learn(cache, [digest])
    assert completeness.load(cache).roots == {digest}
    plan = evict.plan(cache, 0, roots=[], stay=set(), verified=set, now=0)
    with removal.alone(cache):
        evict.carry_out(cache, plan)
    assert completeness.load(cache).roots == set()


def test_without_its_tier_nothing_is_whole_any_more(tmp_path: Path) -> None:
    digest = open_cache(tmp_path / "shared").put(b"of others")
    cache = open_cache(tmp_path / "own", (open_tier(tmp_path / "shared"),))
    cache.put(b"mine")
    completeness.learn(cache, [digest])
    assert completeness.load(cache).roots == {digest}
    assert completeness.load(replace(cache, tiers=())).roots == set()
