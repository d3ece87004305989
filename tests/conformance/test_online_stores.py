"""What every online store keeps its word on; a new store is one more parameter."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_cli import plugins
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.features.online import Found, Layout, OnlineStore, Snapshot

LAYOUT = Layout(
    {"line": "string", "stop": "int"},
    {"speed": "float", "trips": "int", "night": "bool", "name": "string"},
)
BLANK = (None, 0, None, None)
NULLS = (None, None, None, None)
HERE, THERE = ("a", 1), ("b", 2)
FULL, HOLES = (0.1, 2**62, True, "née \0 'x'"), (-math.inf, None, None, "")


def shot(as_of: int = 100, **more: Any) -> Snapshot:
    rows = more.pop("rows", [(HERE, 90, FULL), (THERE, 40, HOLES)])
    return Snapshot("v", more.pop("layout", LAYOUT), as_of, more.pop("source", "s"), BLANK, rows)


@pytest.fixture(params=["sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], OnlineStore]]:
    """Open the same store once more, as another process would."""
    made: list[OnlineStore] = []

    def another() -> OnlineStore:
        made.append(plugins.load("mlops.online_stores", request.param)(tmp_path))
        return made[-1]

    yield another
    for store in made:
        store.close()


@pytest.fixture
def store(opened: Callable[[], OnlineStore]) -> OnlineStore:
    return opened()


def one(store: OnlineStore, entity: tuple[Any, ...], at: int = 100, **more: Any) -> Found:
    (found,) = store.read("v", [entity], at=[at], **more)
    return found


def test_what_was_published_is_read_with_its_types(
    store: OnlineStore, opened: Callable[[], OnlineStore]
) -> None:
    done = store.publish(shot())
    assert (done.entities, done.written, done.removed) == (2, 2, 0)
    for reader in (store, opened()):
        found = reader.read("v", [THERE, HERE, THERE], at=[100] * 3)
        assert found == [Found(HOLES), Found(FULL), Found(HOLES)]
        assert [type(value) for value in found[1].values] == [float, int, bool, str]
        assert reader.read("v", [], at=[]) == []


def test_an_entity_that_nobody_saw_has_the_blank_values(store: OnlineStore) -> None:
    store.publish(shot())
    assert one(store, ("a", 2)) == Found(BLANK, "unknown")
    assert one(store, ("a", None)) == Found(NULLS, "unknown")
    # the text "1" is not the number, and no value runs into its neighbour
    assert one(store, ("a", "1")).missing == "unknown"
    assert one(store, ('a",1,"b', 2)).missing == "unknown"


def test_the_ttl_is_honoured_on_read_and_includes_its_end(store: OnlineStore) -> None:
    store.publish(shot())
    assert one(store, HERE, 95, ttl=5) == Found(FULL)
    assert one(store, HERE, 96, ttl=5) == Found(NULLS, "expired")
    assert one(store, HERE, 96) == Found(FULL)


def test_nothing_is_seen_before_it_was_known(store: OnlineStore) -> None:
    store.publish(shot())
    assert one(store, HERE, 90) == Found(FULL)
    assert one(store, HERE, 89) == Found(NULLS, "later")


def test_a_row_without_a_time_of_its_own_is_known_since_the_watermark(store: OnlineStore) -> None:
    store.publish(shot(rows=[(HERE, None, FULL)]))
    assert one(store, HERE, 100) == Found(FULL)
    assert one(store, HERE, 99) == Found(NULLS, "later")
    store.publish(shot(200, rows=[(HERE, None, FULL)]))
    assert one(store, HERE, 100).missing == "later"


def test_publishing_the_same_again_writes_nothing(store: OnlineStore) -> None:
    store.publish(shot())
    again = store.publish(shot())
    assert (again.entities, again.written, again.removed) == (2, 0, 0)


def test_only_what_changed_is_written_and_what_is_gone_is_removed(store: OnlineStore) -> None:
    store.publish(shot())
    rows = [(HERE, 90, FULL), (("c", 3), 100, HOLES)]
    done = store.publish(shot(200, rows=rows))
    assert (done.entities, done.written, done.removed) == (2, 1, 1)
    assert one(store, THERE, 200).missing == "unknown"
    changed = store.publish(shot(200, rows=[(HERE, 91, FULL), (("c", 3), 100, FULL)]))
    assert (changed.written, changed.removed) == (2, 0)
    assert one(store, HERE, 90).missing == "later"
    assert one(store, ("c", 3), 200) == Found(FULL)


def test_a_reader_that_stays_open_sees_the_next_snapshot(
    store: OnlineStore, opened: Callable[[], OnlineStore]
) -> None:
    reader = opened()
    with pytest.raises(NotFound):
        one(reader, HERE)
    store.publish(shot())
    assert one(reader, HERE) == Found(FULL)
    store.publish(shot(150, rows=[(HERE, 120, HOLES)]))
    assert one(reader, HERE, 150) == Found(HOLES)
    assert one(reader, THERE, 150).missing == "unknown"


def test_other_columns_replace_the_former_ones(
    store: OnlineStore, opened: Callable[[], OnlineStore]
) -> None:
    reader = opened()
    store.publish(shot())
    assert one(reader, HERE) == Found(FULL)
    backwards = Layout(LAYOUT.entity, dict(reversed(LAYOUT.columns.items())))
    store.publish(shot(layout=backwards, rows=[(HERE, 90, FULL[::-1])]))
    assert one(reader, HERE) == Found(FULL[::-1])
    fewer = Layout({"line": "string"}, {"trips": "int"})
    store.publish(replace(shot(layout=fewer, rows=[(("a",), 90, (7,))]), blank=(0,)))
    assert one(reader, ("a",)) == Found((7,))
    held = reader.about("v")
    assert held is not None
    assert (held.layout, held.blank, held.entities) == (fewer, (0,), 1)


def test_the_watermark_goes_back_only_when_asked(store: OnlineStore) -> None:
    store.publish(shot(200, source="new"))
    with pytest.raises(StateRefused) as refused:
        store.publish(shot(100, source="old"))
    assert refused.value.code == "watermark-ahead"
    held = store.about("v")
    assert held is not None
    assert (held.as_of, held.source) == (200, "new")
    store.publish(shot(100, source="old"), back=True)
    held = store.about("v")
    assert held is not None
    assert (held.as_of, held.source) == (100, "old")


def test_a_publication_that_fails_leaves_the_former_snapshot(store: OnlineStore) -> None:
    store.publish(shot())

    def breaks() -> Iterator[Any]:
        yield (HERE, 95, HOLES)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.publish(shot(200, rows=breaks()))
    assert one(store, HERE) == Found(FULL)
    assert store.publish(shot(200, rows=[])).entities == 0
    assert one(store, HERE).missing == "unknown"


def test_views_are_apart_and_can_be_dropped(
    store: OnlineStore, opened: Callable[[], OnlineStore]
) -> None:
    assert store.views() == []
    assert store.about("v") is None
    store.publish(shot())
    store.publish(replace(shot(rows=[]), view="w"))
    assert store.views() == ["v", "w"]
    reader = opened()
    assert one(reader, HERE) == Found(FULL)
    assert store.drop("v") is True
    assert store.drop("v") is False
    assert store.views() == ["w"]
    with pytest.raises(NotFound) as missing:
        one(reader, HERE)
    assert missing.value.code == "not-materialized"
    store.publish(shot(rows=[(HERE, 1, HOLES)]))
    assert one(reader, HERE) == Found(HOLES)


def test_chosen_columns_come_in_the_order_asked_for(store: OnlineStore) -> None:
    store.publish(shot())
    assert one(store, HERE, columns=["name", "speed"]) == Found((FULL[3], FULL[0]))
    assert one(store, ("x", 1), columns=["trips"]) == Found((0,), "unknown")
    with pytest.raises(NotFound) as missing:
        one(store, HERE, columns=["speed", "weight"])
    assert missing.value.code == "column-missing"


def test_the_entities_of_one_request_come_from_one_snapshot(
    store: OnlineStore, opened: Callable[[], OnlineStore]
) -> None:
    layout = Layout({"n": "int"}, {"x": "int"})
    entities = [(n,) for n in range(40)]

    def publish(generation: int) -> None:
        rows = [(entity, None, (generation,)) for entity in entities]
        store.publish(Snapshot("v", layout, generation, "", (None,), rows))

    def write() -> None:
        for generation in range(2, 12):
            publish(generation)

    publish(1)
    reader = opened()
    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while seen < 11:
        found = reader.read("v", entities, at=[99] * len(entities))
        ((seen,),) = {one.values for one in found}
    writer.join()
