"""Rows that leave features out: they are looked up by key, as known at the time of the row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serving_world
from serving_world import ROW, load

from mlops_cli.features.online import Layout, Snapshot
from mlops_cli.features.sqlite import SqliteStore
from mlops_cli.serving import desired, environment, lookup
from mlops_cli.serving.core import Core, Entry, Request, handle
from mlops_cli.serving.environment import Environment, Pinned
from mlops_cli.serving.metrics import Counters
from mlops_cli.serving.recipe import Recipe, View
from mlops_cli.serving.router import Router, Variant

SECOND = 1_000_000
SINCE = 1356998400 * SECOND  # 2013
WINDS = Layout({"airport": "string"}, {"unused": "float", "wind": "float"})
PLANES = Layout({"tail": "int", "carrier": "string"}, {"distance": "float", "stops": "int"})
RECIPE = Recipe(
    "sqlite",
    "default",
    (
        View("winds", {"airport": "string"}, ("unused", "wind"), 60 * SECOND),
        View("planes", {"tail": "int", "carrier": "string"}, ("stops", "distance")),
    ),
)
KEYS = {"airport": "JFK", "carrier": "UA", "tail": 7}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path)
    rows = [(("JFK",), SINCE, (9.0, 0.25))]
    made.publish(Snapshot("winds", WINDS, SINCE, "", (None, None), rows))
    rows = [((7, "UA"), None, (1.5, 1))]
    made.publish(Snapshot("planes", PLANES, SINCE, "", (None, 0), rows))
    yield made
    made.close()


class Server:
    def __init__(self, folder: Path, store: SqliteStore, recipe: Recipe) -> None:
        self.logged: list[Entry] = []
        model = load(folder)
        counters = Counters()
        found = lookup.of(recipe, store, model.schema.names, counters)
        router = Router("prod", "g", "", Variant("champion", model), lookup=found)
        self.core = Core(
            counters,
            self.logged.append,
            new_id=lambda: "id",
            now=lambda: SINCE + SECOND,
            router=router,
        )

    def ask(self, *rows: Any, code: int = 200, **more: Any) -> Any:
        body = json.dumps({"rows": list(rows), **more}).encode()
        answer = handle(self.core, Request("POST", "/predict", lambda _: None, body))
        value = json.loads(answer.body)
        assert answer.status == code, value
        return value["error"] if code != 200 else value["predictions"]


@pytest.fixture
def server(tmp_path: Path, store: SqliteStore) -> Server:
    return Server(tmp_path / "bundle", store, RECIPE)


def test_rows_with_keys_get_the_answer_of_rows_with_features(server: Server) -> None:
    whole = server.ask(ROW)
    assert server.ask(KEYS, KEYS) == whole * 2
    logged = server.logged[-1].call.columns
    assert sorted(logged) == ["carrier", "distance", "stops", "wind"]
    assert logged["wind"].tolist() == [0.25, 0.25]


def test_what_a_row_says_itself_counts(server: Server) -> None:
    assert server.ask(KEYS | {"wind": 3.0}) == server.ask(ROW | {"wind": 3.0})
    # nothing left to look up, so no key is needed
    assert server.ask({**ROW, "airport": "JFK"}) == server.ask(ROW)


def test_values_are_those_known_and_fresh_at_the_time_of_the_row(server: Server) -> None:
    hole = server.ask(ROW | {"wind": None})
    assert server.ask(KEYS | {"time": "2013-01-01T00:01:00Z"}) == server.ask(ROW)
    assert server.ask(KEYS | {"time": "2013-01-01T00:01:01Z"}) == hole
    assert server.ask({**KEYS, "airport": "XXX"}) == hole
    assert server.ask({**KEYS, "airport": None}) == hole
    early = {"airport": "JFK", "time": "2012-12-31T23:59:59Z"} | {
        name: value for name, value in ROW.items() if name != "wind"
    }
    assert server.ask(early) == hole
    counts = server.core.counters.snapshot()
    assert {name: n for name, n in counts.items() if name.startswith("mlops_features")} == {
        'mlops_features_missing_total{view="winds",why="expired"}': 1,
        'mlops_features_missing_total{view="winds",why="unknown"}': 2,
        'mlops_features_missing_total{view="winds",why="later"}': 1,
    }


def test_a_missing_value_that_the_model_needs_is_refused_as_ever(server: Server) -> None:
    said = server.ask({**KEYS, "tail": 8}, code=400)
    assert said == "input 'distance' is null in row 0"


def test_refuse_names_the_row_and_the_reason(tmp_path: Path, store: SqliteStore) -> None:
    strict = Recipe(RECIPE.store, "refuse", RECIPE.views)
    server = Server(tmp_path / "bundle", store, strict)
    assert server.ask(KEYS) == server.ask(ROW)
    for row, said in [
        ({**KEYS, "airport": "XXX"}, "row 1: nobody has seen winds of XXX"),
        (KEYS | {"time": "2013-01-02"}, "row 1: what is known of winds of JFK is too old"),
        (
            KEYS | {"time": "2012-01-02"},
            "row 1: what is known of winds of JFK became known only later",
        ),
    ]:
        assert server.ask(KEYS, row, code=400) == said
    assert len(server.logged) == 2


def test_bad_keys_are_named(server: Server, store: SqliteStore) -> None:
    less = {name: value for name, value in KEYS.items() if name != "tail"}
    for row, said in [
        (less, "row 0: 'tail' is missing, by which planes is looked up"),
        (KEYS | {"tail": "7"}, "row 0: 'tail' takes an integer"),
        (KEYS | {"tail": True}, "row 0: 'tail' takes an integer"),
        (KEYS | {"airport": ["JFK"]}, "row 0: 'airport' takes a string"),
        (KEYS | {"windy": 1}, "row 0: unknown input 'windy'"),
        ("row", "row 0 is not an object"),
    ]:
        assert server.ask(row, code=400).startswith(said)
    store.drop("winds")
    assert "features.winds is not in the online store" in server.ask(KEYS, code=503)
    other = Snapshot("winds", Layout(WINDS.entity, {"rain": "float"}), 1, "", (None,), [])
    store.publish(other)
    assert "no column 'wind'" in server.ask(KEYS, code=503)


def test_a_snapshot_published_while_serving_is_seen_with_columns_in_any_order(
    server: Server, store: SqliteStore
) -> None:
    turned = Layout(WINDS.entity, {"wind": "float", "gusts": "float", "unused": "float"})
    rows = [(("JFK",), SINCE, (0.75, 5.0, 9.0))]
    before = server.ask(KEYS)
    store.publish(Snapshot("winds", turned, SINCE + 1, "", (None,) * 3, rows))
    assert server.ask(KEYS) == server.ask(ROW | {"wind": 0.75}) != before


def test_a_recipe_survives_its_files_with_the_order_of_its_keys(tmp_path: Path) -> None:
    wish = serving_world.desired(tmp_path, features=RECIPE)
    desired.write(tmp_path, wish)
    read = desired.read(tmp_path)
    assert read is not None
    assert read.generation == wish.generation
    pinned = Pinned("delay@v1", "delay", 1, "sha256:0", "sha256:1")
    stated = Environment("prod", pinned, "2013-03-01T00:00:00Z", features=RECIPE)
    environment.write(tmp_path, stated)
    again = environment.read(tmp_path, "prod")
    assert again == stated
    for found in (read.features, again.features):
        assert found is not None
        entities = {view.name: list(view.entity) for view in found.views}
        assert entities == {"winds": ["airport"], "planes": ["tail", "carrier"]}
