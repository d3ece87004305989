"""Three-way merge of trees, for arbitrary trees: nothing is lost, and no side is preferred."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.store.digest import Digest
from mlops_cli.store.merge import Merged, merge_trees
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree

NAMES = st.sampled_from(["a", "b", "c", "d"])
FILES = st.tuples(st.sampled_from(["file", "exec", "link"]), st.sampled_from("123456789"))
WORLDS: Any = st.recursive(
    st.dictionaries(NAMES, FILES, max_size=4),
    lambda inner: st.dictionaries(NAMES, FILES | inner, max_size=4),
    max_leaves=8,
)


class Shelf:
    def __init__(self) -> None:
        self.trees: dict[Digest, bytes] = {}

    def read(self, wanted: set[Digest]) -> dict[Digest, bytes]:
        return {digest: self.trees[digest] for digest in wanted}

    def store(self, world: dict[str, Any]) -> Digest:
        entries = []
        for name, what in world.items():
            if isinstance(what, dict):
                digest = self.store(what)
                below = parse_tree(self.trees[digest])
                entries.append(Entry(name, "dir", digest, *totals(below)))
            else:
                mode, text = what
                entries.append(Entry(name, mode, Digest.of(text.encode()), len(text)))
        data = write_tree(entries)
        self.trees[Digest.of(data)] = data
        return Digest.of(data)

    def files(self, digest: Digest, inside: str = "") -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in parse_tree(self.trees[digest]):
            if entry.mode == "dir":
                found |= self.files(entry.digest, f"{inside}{entry.name}/")
            else:
                found[inside + entry.name] = entry
        return found


def digests(shelf: Shelf, tree: Digest) -> set[Digest]:
    return {entry.digest for entry in shelf.files(tree).values()}


def merge(shelf: Shelf, base: Digest | None, ours: Digest, theirs: Digest, **more: Any) -> Merged:
    found = merge_trees(base, ours, theirs, read=shelf.read, **more)
    shelf.trees |= found.trees
    for side in (found.ours, found.theirs):
        assert (side.size, side.files) == totals(parse_tree(shelf.trees[side.digest]))
    return found


@given(WORLDS | st.none(), WORLDS, WORLDS)
@settings(max_examples=150, deadline=None)
def test_a_merge_is_the_same_from_both_sides(base: Any, ours: Any, theirs: Any) -> None:
    shelf = Shelf()
    start = None if base is None else shelf.store(base)
    left, right = shelf.store(ours), shelf.store(theirs)
    one, other = merge(shelf, start, left, right), merge(shelf, start, right, left)
    assert (one.ours, one.theirs) == (other.theirs, other.ours)
    assert [each.path for each in one.conflicts] == [each.path for each in other.conflicts]
    assert bool(one.conflicts) == (one.ours != one.theirs)


@given(WORLDS, WORLDS)
@settings(max_examples=100, deadline=None)
def test_what_only_one_side_changed_is_the_result(base: Any, changed: Any) -> None:
    shelf = Shelf()
    start, end = shelf.store(base), shelf.store(changed)
    for left, right in ((start, end), (end, start), (end, end)):
        found = merge(shelf, start, left, right)
        assert (found.ours.digest, found.conflicts) == (end, ())


@given(WORLDS | st.none(), WORLDS, WORLDS)
@settings(max_examples=150, deadline=None)
def test_no_byte_that_a_side_brought_is_lost(base: Any, ours: Any, theirs: Any) -> None:
    shelf = Shelf()
    start = None if base is None else shelf.store(base)
    left, right = shelf.store(ours), shelf.store(theirs)
    found = merge(shelf, start, left, right)
    both = merge(shelf, None, found.ours.digest, found.theirs.digest, both=True)
    assert not both.conflicts
    before = {} if start is None else shelf.files(start)
    old = {entry.digest for entry in before.values()}
    brought = {entry.digest for side in (left, right) for entry in shelf.files(side).values()} - old
    apart = {
        one.digest
        for side in (found.ours, found.theirs)
        for one in shelf.files(side.digest).values()
    }
    together = {one.digest for one in shelf.files(both.ours.digest).values()}
    # bytes that both sides replaced by the same others are nobody's any more
    assert brought <= apart
    assert apart == together
