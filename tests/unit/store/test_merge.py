"""Three-way merge of trees: small worlds as nested dictionaries, in memory."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_cli.store.digest import Digest
from mlops_cli.store.merge import Merged, beside, merge_trees
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree

World = dict[str, Any]  # name → text (a file), ("exec"|"link", text), or a world (a folder)


class Shelf:
    """Listings in memory, which counts what is opened."""

    def __init__(self) -> None:
        self.trees: dict[Digest, bytes] = {}
        self.opened: list[set[Digest]] = []

    def read(self, wanted: set[Digest]) -> dict[Digest, bytes]:
        self.opened.append(wanted)
        return {digest: self.trees[digest] for digest in wanted}

    def store(self, world: World) -> Digest:
        entries = []
        for name, what in world.items():
            if isinstance(what, dict):
                below = parse_tree(self.trees[digest := self.store(what)])
                entries.append(Entry(name, "dir", digest, *totals(below)))
            else:
                mode, text = what if isinstance(what, tuple) else ("file", what)
                entries.append(Entry(name, mode, Digest.of(text.encode()), len(text)))
        data = write_tree(entries)
        self.trees[Digest.of(data)] = data
        return Digest.of(data)

    def world(self, digest: Digest) -> World:
        return {
            entry.name: self.world(entry.digest)
            if entry.mode == "dir"
            else (entry.mode, entry.digest)
            for entry in parse_tree(self.trees[digest])
        }


def merged(base: World | None, ours: World, theirs: World, **more: Any) -> tuple[Merged, Shelf]:
    shelf = Shelf()
    found = merge_trees(
        None if base is None else shelf.store(base),
        shelf.store(ours),
        shelf.store(theirs),
        read=shelf.read,
        **more,
    )
    shelf.trees |= found.trees
    return found, shelf


def is_tree(shelf: Shelf, digest: Digest, world: World) -> bool:
    return digest == shelf.store(world)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "1", "b": "2"}, {"a": "2", "b": "2"}),
        ({"a": "1"}, {"a": "1", "b": "1"}, {"a": "1", "c": "1"}, {"a": "1", "b": "1", "c": "1"}),
        ({"a": "1", "b": "1"}, {"a": "1"}, {"a": "2", "b": "1"}, {"a": "2"}),
        ({"a": "1"}, {"a": "2"}, {"a": "2"}, {"a": "2"}),
        ({"a": "1"}, {"a": ("exec", "1")}, {"a": "2"}, {"a": ("exec", "2")}),
        ({"a": ("exec", "1")}, {"a": ("exec", "2")}, {"a": "1"}, {"a": "2"}),
        ({"a": "1"}, {"a": "2"}, {"a": ("exec", "2")}, {"a": ("exec", "2")}),
        (
            {"d": {"a": "1"}},
            {"d": {"a": "2"}},
            {"d": {"a": "1", "e": {}}},
            {"d": {"a": "2", "e": {}}},
        ),
        ({"d": {"a": "1"}}, {"d": "file"}, {"d": {"a": "1"}}, {"d": "file"}),
        ({"d": {"a": "1", "b": "1"}}, {"d": {"a": "1"}}, {"d": {"b": "1"}}, {"d": {}}),
        ({"d": {"a": "1"}}, {}, {"d": {"a": "1"}, "b": "1"}, {"b": "1"}),
        (None, {"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"}),
        (None, {"d": {"a": "1"}}, {"d": {"b": "1"}}, {"d": {"a": "1", "b": "1"}}),
    ],
)
def test_what_only_one_side_changed_is_taken(
    base: World | None, ours: World, theirs: World, result: World
) -> None:
    for left, right in ((ours, theirs), (theirs, ours)):
        found, shelf = merged(base, left, right)
        assert not found.conflicts
        assert found.ours == found.theirs
        assert is_tree(shelf, found.ours.digest, result), shelf.world(found.ours.digest)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "path"),
    [
        ({"a": "1"}, {"a": "2"}, {"a": "3"}, "a"),
        ({"a": "1"}, {"a": "2"}, {}, "a"),
        ({}, {"a": "2"}, {"a": "3"}, "a"),
        ({"d": {"a": "1"}}, {"d": {"a": "2"}}, {}, "d/a"),
        ({"d": {"a": "1"}}, {"d": {"a": "2"}}, {"d": "file"}, "d"),
        ({}, {"d": {"a": "2"}}, {"d": "file"}, "d"),
        ({"a": "1"}, {"a": ("link", "b")}, {"a": ("exec", "1")}, "a"),
        (None, {"a": "1"}, {"a": ("exec", "1")}, "a"),
        ({"d": {"x": {"a": "1"}}}, {"d": {"x": {"a": "2"}}}, {"d": {"x": {"a": "3"}}}, "d/x/a"),
    ],
)
def test_what_both_changed_is_a_conflict_and_each_tree_holds_its_side(
    base: World | None, ours: World, theirs: World, path: str
) -> None:
    for left, right in ((ours, theirs), (theirs, ours)):
        found, shelf = merged(base, left, right)
        assert [one.path for one in found.conflicts] == [path]
        assert is_tree(shelf, found.ours.digest, left), shelf.world(found.ours.digest)
        assert is_tree(shelf, found.theirs.digest, right), shelf.world(found.theirs.digest)


def test_a_conflict_does_not_keep_the_rest_from_being_merged() -> None:
    base = {"a": "1", "d": {"b": "1", "c": "1", "gone": "1"}}
    ours = {"a": "1", "d": {"b": "2", "c": "2"}}
    theirs = {"a": "2", "d": {"b": "1", "c": "3", "gone": "1", "new": "1"}}
    found, shelf = merged(base, ours, theirs)
    rest = {"a": "2", "d": {"b": "2", "new": "1"}}
    assert is_tree(shelf, found.ours.digest, rest | {"d": rest["d"] | {"c": "2"}})
    assert is_tree(shelf, found.theirs.digest, rest | {"d": rest["d"] | {"c": "3"}})


def test_both_sides_can_be_kept_beside_each_other() -> None:
    ours = {"a": "2", "d": {"x": "1"}, "kept": "2", "e.theirs": "0", "e": "2"}
    theirs = {"a": "3", "d": "file", "e": "3", "e.theirs": "0"}
    base = {"a": "1", "kept": "1", "e": "1", "e.theirs": "0"}
    found, shelf = merged(base, ours, theirs, both=True)
    assert not found.conflicts
    aside = {"a.theirs": "3", "d.theirs": "file", "e.theirs2": "3"}
    assert is_tree(shelf, found.ours.digest, ours | aside), shelf.world(found.ours.digest)


def test_a_long_name_still_has_room_for_its_twin() -> None:
    assert len(beside("ü" * 127, ()).encode()) <= 255


def test_only_folders_that_differ_on_all_sides_are_opened() -> None:
    many = {f"d{i}": {"f": str(i)} for i in range(100)}
    shelf = Shelf()
    base = shelf.store(many)
    ours = shelf.store(many | {"d1": {"f": "ours"}, "d2": {"f": "2", "ours": "1"}})
    theirs = shelf.store(many | {"d3": {"f": "theirs"}, "d2": {"f": "2", "theirs": "1"}})
    merge_trees(base, ours, theirs, read=shelf.read)
    assert [len(wanted) for wanted in shelf.opened] == [3, 3]


def test_a_tree_of_any_depth_is_merged() -> None:
    base, ours, theirs = {"f": "1"}, {"f": "1", "a": "1"}, {"f": "1", "b": "1"}
    for _ in range(400):
        base, ours, theirs = {"d": base}, {"d": ours}, {"d": theirs}
    found, _ = merged(base, ours, theirs)
    assert not found.conflicts
    assert found.ours.files == 3
