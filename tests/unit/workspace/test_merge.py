"""Three-way merge of pointers, locks and environments, as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_cli import encode
from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.pipeline.traces.lock import read_lock
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, totals, write_tree
from mlops_cli.workspace.merge import Outcome, kind_of, merge_file, take, undecided
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.pointer import Pointer, Side, encode_pointer, parse_pointer

Merge = Callable[..., Outcome]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return open_cache(tmp_path / "cache")


@pytest.fixture
def merge(cache: Cache) -> Merge:
    def run(path: str, base: bytes | None, ours: bytes, theirs: bytes) -> Outcome:
        return merge_file(path, base, ours, theirs, shelf=MergeShelf(cache, cache))

    return run


def pointer(content: str, **more: Any) -> Pointer:
    return Pointer("data.csv", Digest.of(content.encode()), "file", len(content), 1, **more)


def text(one: Pointer) -> bytes:
    return encode_pointer(one).encode()


def folder(cache: Cache, **files: str) -> Pointer:
    entries = [Entry(n, "file", Digest.of(t.encode()), len(t)) for n, t in files.items()]
    digest = cache.put(write_tree(entries))
    return Pointer("data", digest, "tree", *totals(entries))


def test_each_kind_of_file_is_known_by_its_path() -> None:
    assert kind_of("a/data.mlops") == "pointer"
    assert kind_of(".mlops/lock/fit.json") == "lock"
    assert kind_of("environments/prod.yaml") == "environment"
    for other in (".mlops/config.yaml", ".mlops", "environments/x/y.yaml", "a/.mlops/lock/b.json"):
        assert kind_of(other) is None


def test_fields_of_a_pointer_are_merged_one_by_one(merge: Merge) -> None:
    base = pointer("1")
    ours, theirs = replace(pointer("2"), remote="cold"), replace(base, push=False, executable=True)
    for left, right in ((ours, theirs), (theirs, ours)):
        found = merge("data.csv.mlops", text(base), text(left), text(right))
        assert found.clean
        merged = parse_pointer(found.data, file="data.csv.mlops")
        assert merged == replace(pointer("2"), remote="cold", push=False, executable=True)


def test_a_file_that_both_changed_is_a_valid_pointer_with_both(merge: Merge) -> None:
    pin = {"rev": "v2"}
    ours, theirs = pointer("2", executable=True), pointer("33", executable=True, pin=pin)
    found = merge("data.csv.mlops", text(pointer("1")), text(ours), text(theirs))
    assert found.conflicts == ("data.csv",)
    merged = parse_pointer(found.data, file="data.csv.mlops")
    side = Side(theirs.digest, "file", 2, 1, True, None, pin)
    assert merged == replace(ours, theirs=side)
    assert undecided("data.csv.mlops", found.data)
    assert take("data.csv.mlops", found.data, "ours") == text(ours)
    assert take("data.csv.mlops", found.data, "theirs") == text(theirs)


def test_two_pins_are_a_conflict_even_of_the_same_bytes(merge: Merge) -> None:
    ours, theirs = pointer("1", pin={"rev": "a"}), pointer("1", pin={"rev": "b"})
    found = merge("data.csv.mlops", text(pointer("1")), text(ours), text(theirs))
    assert found.conflicts == ("data.csv (pin)",)
    assert take("data.csv.mlops", found.data, "theirs") == text(theirs)


def test_a_pointer_that_one_side_renamed_is_merged_under_its_new_name(merge: Merge) -> None:
    moved = replace(pointer("1"), path="moved.csv")
    found = merge("moved.csv.mlops", text(pointer("1")), text(moved), text(pointer("2")))
    merged = parse_pointer(found.data, file="moved.csv.mlops")
    assert (merged.path, merged.digest, found.clean) == ("moved.csv", Digest.of(b"2"), True)


def test_folders_are_merged_file_by_file(merge: Merge, cache: Cache) -> None:
    base, ours, theirs = (
        folder(cache, a="1", b="1"),
        folder(cache, a="2", b="1", c="1"),
        folder(cache, a="1", b="22"),
    )
    found = merge("data.mlops", text(base), text(ours), text(theirs))
    assert found.clean
    assert parse_pointer(found.data, file="data.mlops") == folder(cache, a="2", b="22", c="1")
    added = merge("data.mlops", None, text(ours), text(folder(cache, d="1")))
    assert parse_pointer(added.data, file="data.mlops").files == 4


def test_a_conflict_in_a_folder_leaves_two_folders_that_differ_in_nothing_else(
    merge: Merge, cache: Cache
) -> None:
    base, ours, theirs = (
        folder(cache, a="1", b="1"),
        folder(cache, a="2", b="1"),
        folder(cache, a="3", b="2"),
    )
    found = merge("data.mlops", text(base), text(ours), text(theirs))
    assert found.conflicts == ("data/a",)
    merged = parse_pointer(found.data, file="data.mlops")
    assert merged.digest == folder(cache, a="2", b="2").digest
    assert merged.theirs is not None
    assert merged.theirs.digest == folder(cache, a="3", b="2").digest


def test_a_listing_that_is_nowhere_leaves_both_sides_whole(merge: Merge, cache: Cache) -> None:
    base = Pointer("data", Digest.of(b"gone"), "tree", 1, 1)
    ours, theirs = folder(cache, a="2"), folder(cache, a="3")
    found = merge("data.mlops", text(base), text(ours), text(theirs))
    assert found.conflicts == ("data",)
    assert "not in the cache" in found.note
    merged = parse_pointer(found.data, file="data.mlops")
    assert merged.theirs is not None
    assert (merged.digest, merged.theirs.digest) == (ours.digest, theirs.digest)


def test_an_old_conflict_is_not_written_over(merge: Merge) -> None:
    side = Side(Digest.of(b"x"), "file", 1, 1)
    ours = replace(pointer("2"), theirs=side)
    with pytest.raises(StateRefused) as refused:
        merge("data.csv.mlops", text(pointer("1")), text(ours), text(pointer("3")))
    assert refused.value.code == "undecided"
    found = merge("data.csv.mlops", text(pointer("1")), text(ours), text(pointer("1")))
    assert found.data == text(ours)


def test_what_is_no_pointer_is_refused_and_a_base_that_is_none_counts_as_absent(
    merge: Merge,
) -> None:
    with pytest.raises(IntegrityError):
        merge("data.csv.mlops", None, b"<<<<<<< ours\n", text(pointer("1")))
    found = merge("data.csv.mlops", b"<<<<<<< ours\n", text(pointer("2")), text(pointer("3")))
    assert found.conflicts == ("data.csv",)


def test_fields_of_a_later_version_stay_where_one_side_is_taken(merge: Merge) -> None:
    later = text(pointer("2")).replace(b'"files": 1,', b'"files": 1,\n "later": true,')
    assert merge("data.csv.mlops", text(pointer("1")), text(pointer("1")), later).data == later


def lock(key: str, out: str = "1", **more: Any) -> bytes:
    output = {"digest": Digest.of(out.encode()), "kind": "file", "size": len(out), "files": 1}
    value = {"schema": "mlops.lock/1", "step": "fit", "key": key, "parts": {"version": 1}}
    value |= {"outputs": {"out/model": output}, "metrics": {}, "facts": {}}
    return encode.readable_json(value | more).encode()


LOCK = ".mlops/lock/fit.json"


def test_the_lock_of_the_side_that_ran_the_step_is_taken(merge: Merge) -> None:
    assert merge(LOCK, lock("a"), lock("b", "2"), lock("a")).data == lock("b", "2")
    assert merge(LOCK, lock("a"), lock("a"), lock("b", "2")).data == lock("b", "2")


def test_a_step_that_both_ran_alike_is_no_conflict_whatever_it_took(merge: Merge) -> None:
    ours = lock("b", "2", facts={"seconds": 1}, metrics={"auc": 0.5})
    theirs = lock("b", "2", facts={"seconds": 2, "rows": 3}, metrics={"auc": 0.5})
    found = merge(LOCK, lock("a"), ours, theirs)
    assert found.clean
    assert json.loads(found.data)["facts"] == {"seconds": 1, "rows": 3}


@pytest.mark.parametrize("base", [lock("a"), None])
def test_a_step_that_both_ran_otherwise_keeps_both_locks(merge: Merge, base: bytes | None) -> None:
    ours, theirs = lock("b", "2"), lock("c", "3")
    found = merge(LOCK, base, ours, theirs)
    assert found.conflicts == ("fit",)
    read = read_lock(found.data, step="fit")
    assert read.key == "b" and read.theirs is not None and read.theirs.key == "c"
    assert undecided(LOCK, found.data)
    assert take(LOCK, found.data, "ours") == ours
    assert take(LOCK, found.data, "theirs") == theirs


def test_a_base_that_git_made_of_two_and_that_is_in_conflict_counts_as_ours(merge: Merge) -> None:
    base = merge(LOCK, None, lock("a"), lock("z")).data
    assert merge(LOCK, base, lock("a"), lock("b", "2")).data == lock("b", "2")
    virtual = merge("data.csv.mlops", None, text(pointer("1")), text(pointer("9"))).data
    found = merge("data.csv.mlops", virtual, text(pointer("1")), text(pointer("2")))
    assert found.data == text(pointer("2"))


def test_one_key_with_two_outcomes_is_not_decided_by_us(merge: Merge) -> None:
    assert merge(LOCK, lock("a"), lock("b", "2"), lock("b", "3")).conflicts == ("fit",)


PINNED = {"name": "delay@production", "model": "delay", "version": 1}
ENVIRONMENT: dict[str, Any] = {
    "version": 1,
    "environment": "prod",
    "champion": PINNED | {"digest": "sha256:1", "bundle": "sha256:1"},
    "since": "2013-01-01T00:00:00Z",
    "challengers": [],
    "target": {"kind": "local"},
    "log": {"sample": 1.0, "pii": {}},
    "limits": {"body_mb": 1},
    "former": [],
    "held": None,
}
PROD = "environments/prod.yaml"


def environment(**more: Any) -> bytes:
    return b"# What prod serves.\n" + encode.stable_yaml(ENVIRONMENT | more).encode()


def served(version: int, since: str) -> dict[str, Any]:
    champion = ENVIRONMENT["champion"] | {"version": version, "digest": f"sha256:{version}"}
    return {"champion": champion, "since": since, "former": [ENVIRONMENT["champion"]]}


def test_a_new_champion_and_another_limit_are_merged(merge: Merge) -> None:
    ours, theirs = environment(**served(2, "b")), environment(limits={"body_mb": 2})
    for left, right in ((ours, theirs), (theirs, ours)):
        found = merge(PROD, environment(), left, right)
        assert found.clean
        assert found.data == environment(**served(2, "b"), limits={"body_mb": 2})


def test_two_champions_are_a_conflict_and_each_keeps_its_own_history(merge: Merge) -> None:
    ours, theirs = environment(**served(2, "b")), environment(**served(3, "c"))
    found = merge(PROD, environment(), ours, theirs)
    assert found.conflicts == ("champion",)
    assert found.data.startswith(b"# What prod serves.\n")
    value = yaml.safe_load(found.data)
    assert (value["champion"]["version"], value["theirs"]["since"]) == (2, "c")
    assert undecided(PROD, found.data)
    assert take(PROD, found.data, "ours") == ours
    assert take(PROD, found.data, "theirs") == theirs


def test_the_same_champion_deployed_by_both_is_one(merge: Merge) -> None:
    ours, theirs = environment(**served(2, "b")), environment(**served(2, "c"))
    assert merge(PROD, environment(), ours, theirs).data == ours


def test_what_is_no_environment_is_refused(merge: Merge) -> None:
    with pytest.raises(IntegrityError):
        merge(PROD, environment(), b"- a list\n", environment())
