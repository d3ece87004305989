"""What led to a thing and what came of it, told by records alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.lineage import both, down, start_of, up
from mlops_cli.ledger.record import Record, record
from mlops_cli.vcs.repo import Git


def d(name: str) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


@dataclass
class World:
    """The loop once around: v1 is trained, promoted, served, watched, and leads to v2."""

    ledger: Ledger
    at: datetime = datetime(2013, 2, 1, tzinfo=UTC)
    told: dict[str, Record] = field(default_factory=dict)

    def tell(self, name: str, kind: str, **fields: Any) -> str:
        self.at += timedelta(minutes=1)
        made = record(kind, time=self.at, actor="Ada", **fields)
        self.ledger.spool(made)
        self.told[name] = made
        return str(made.digest)

    def ran(self, name: str, kind: str, inputs: Any, outputs: Any, **more: Any) -> str:
        fields: dict[str, Any] = {
            "run": "r1",
            "step": name.split("#", maxsplit=1)[0],
            "step_kind": kind,
            "key": "k",
            "status": "done",
            "started": self.at,
            "seconds": 1.0,
            "inputs": inputs,
            "outputs": outputs,
        }
        return self.tell(name, "run", **(fields | more))

    def train(self, mark: str, data: str, parents: Any = (), **more: Any) -> None:
        raw, weather = {"data/flights": d(data)}, {"data/weather": d("weather")}
        common = {"parents": parents, "run": f"r{mark}"}
        self.ran(
            f"data.flights#{mark}",
            "validate",
            raw,
            {"out/data/flights.json": d(f"ok{mark}")},
            **common,
        )
        self.ran(
            f"feature.w#{mark}",
            "feature",
            weather,
            {"out/features/w": d("values")},
            **(common | ({"status": "cached"} if mark != "1" else {})),
        )
        self.ran(
            f"dataset.delay#{mark}",
            "dataset",
            raw | {"out/data/flights.json": d(f"ok{mark}"), "out/features/w": d("values")},
            {"out/delay/dataset": d(f"set{mark}")},
            **common,
        )
        self.ran(
            f"train.delay#{mark}",
            "train",
            {"out/delay/dataset": d(f"set{mark}")},
            {"out/delay/model": d(f"dir{mark}")},
            **common,
        )
        ran = self.ran(
            f"evaluate.delay#{mark}",
            "evaluate",
            {"out/delay/dataset": d(f"set{mark}"), "out/delay/model": d(f"dir{mark}")},
            {"out/delay/evaluation": d(f"eval{mark}")},
            metrics={"roc_auc": 0.7},
            **common,
        )
        self.tell(
            f"v{mark}",
            "register",
            model="delay",
            version=int(mark),
            digest=d(f"onnx{mark}"),
            bundle=d(f"bundle{mark}"),
            run=ran,
        )

    def serve(self, mark: str) -> None:
        self.tell(
            f"promoted{mark}",
            "promotion",
            model="delay",
            alias="production",
            event=int(mark),
            version=int(mark),
            digest=d(f"onnx{mark}"),
        )
        self.tell(
            f"deployed{mark}",
            "deployment",
            environment="prod",
            model="delay",
            version=int(mark),
            digest=d(f"onnx{mark}"),
            action="deploy",
        )

    def watch(self, mark: str) -> str:
        self.tell(
            f"predictions{mark}",
            "predictions",
            deployment="prod",
            segment=d(f"seg{mark}"),
            rows=9,
            start="a",
            end="b",
            models=[d(f"onnx{mark}")],
        )
        check = self.tell(
            f"check{mark}",
            "check",
            monitor="prod",
            environment="prod",
            window={},
            models=[d(f"onnx{mark}")],
            predictions=[d(f"seg{mark}")],
            labels={"data/flights": d(f"labels{mark}")},
            profile=d(f"profile{mark}"),
            verdict="retrain",
        )
        return self.tell(
            f"decision{mark}",
            "decision",
            monitor="prod",
            check=check,
            action="retrain",
            because=["performance_drop"],
        )


@pytest.fixture
def world(git: Git) -> World:
    made = World(open_ledger(git))
    made.ran("data.flights#0", "validate", {"data/flights": d("january")}, {}, status="failed")
    made.train("1", "january")
    made.serve("1")
    decision = made.watch("1")
    made.train("2", "january and february", parents=[decision])
    made.serve("2")
    made.watch("2")
    made.ledger.flush()
    return made


@pytest.fixture
def index(git: Git, world: World) -> Any:
    with open_index(git) as opened:
        yield opened


def names(world: World) -> Callable[[Any], list[str]]:
    by_digest = {str(told.digest): name for name, told in world.told.items()}
    return lambda graph: [by_digest[n] for n in graph.nodes if n in by_digest]


def test_up_from_a_version_is_its_making_and_nothing_later(world: World, index: Index) -> None:
    graph = up(index, *start_of(index, "delay", 1, digest="", run=None))
    told = names(world)(graph)
    steps = ["data.flights", "feature.w", "dataset.delay", "train.delay", "evaluate.delay"]
    assert sorted(told) == sorted(["v1", *(f"{step}#1" for step in steps)])
    kinds = {node.kind for node in graph.nodes.values()}
    assert kinds == {
        "data",
        "report",
        "features",
        "dataset",
        "trained",
        "run",
        "model",
        "bundle",
        "version",
    }
    for name in ("january", "weather", "values", "set1", "dir1", "onnx1", "bundle1"):
        assert d(name) in graph.nodes
    assert graph.nodes[d("january")].label == "data/flights"


def test_causes_come_before_their_effects(world: World, index: Index) -> None:
    graph = both(index, *start_of(index, "delay", 2, digest="", run=None))
    order = list(graph.nodes)
    for edge in graph.edges:
        assert order.index(edge.source) < order.index(edge.target)
    story = [n for n in names(world)(graph) if n[-1] == "1"]
    chain = [
        "dataset.delay#1",
        "v1",
        "promoted1",
        "deployed1",
        "predictions1",
        "check1",
        "decision1",
    ]
    assert [name for name in story if name in chain] == chain


def test_the_whole_loop_stands_above_the_version_that_a_decision_made(
    world: World, index: Index
) -> None:
    told = names(world)(up(index, str(world.told["v2"].digest)))
    assert {"v1", "promoted1", "deployed1", "predictions1", "check1", "decision1", "train.delay#2",
            "v2"} <= set(told)  # fmt: skip
    assert not {"promoted2", "deployed2", "data.flights#0"} & set(told)


def test_down_from_a_version_is_its_use_and_what_that_led_to(world: World, index: Index) -> None:
    graph = down(index, str(world.told["v1"].digest))
    told = names(world)(graph)
    assert told[:6] == ["v1", "promoted1", "deployed1", "predictions1", "check1", "decision1"]
    assert {"v2", "promoted2", "decision2"} <= set(told)
    assert "train.delay#1" not in told
    relations = {(names_of(world, e.source), e.relation, names_of(world, e.target))
                 for e in graph.edges}  # fmt: skip
    assert ("v1", "promoted", "promoted1") in relations
    assert ("promoted1", "deployed", "deployed1") in relations
    assert ("deployed1", "answered", "predictions1") in relations
    assert ("deployed1", "answered", "predictions2") not in relations
    assert ("decision1", "caused", "train.delay#2") in relations


def names_of(world: World, digest: str) -> str:
    return next((n for n, r in world.told.items() if r.digest == digest), digest)


def test_down_from_data_lists_every_model_made_of_it(world: World, index: Index) -> None:
    graph = down(index, d("weather"))
    versions = [node.label for node in graph.nodes.values() if node.kind == "version"]
    assert versions == ["delay@v1", "delay@v2"]
    repeated = str(world.told["feature.w#2"].digest)  # the run cache answered
    assert [e.source for e in graph.edges if e.target == repeated] == [
        str(world.told["decision1"].digest)
    ]


def test_bytes_that_were_made_twice_come_from_the_run_that_made_them_first(
    world: World, index: Index
) -> None:
    told = names(world)(up(index, d("values")))
    assert told == ["feature.w#1"]


def test_rollback_and_stop_lead_predictions_to_the_deployment_of_their_time(
    git: Git, world: World
) -> None:
    world.tell(
        "back",
        "deployment",
        environment="prod",
        model="delay",
        version=1,
        digest=d("onnx1"),
        action="rollback",
    )
    world.tell(
        "stop",
        "deployment",
        environment="prod",
        model="delay",
        version=1,
        digest=d("onnx1"),
        action="stop",
    )
    late = world.tell(
        "late",
        "predictions",
        deployment="prod",
        segment=d("late"),
        rows=1,
        start="a",
        end="b",
        models=[d("onnx1")],
    )
    world.ledger.flush()
    with open_index(git) as index:
        graph = up(index, late)
    relations = [(names_of(world, e.source), names_of(world, e.target)) for e in graph.edges]
    assert ("back", "late") in relations
    assert ("promoted1", "back") in relations


def test_a_retirement_follows_the_event_that_it_ends(git: Git, world: World) -> None:
    ended = world.tell(
        "retired",
        "promotion",
        model="delay",
        alias="production",
        event=3,
        version=None,
        digest=None,
    )
    world.ledger.flush()
    with open_index(git) as index:
        below = down(index, str(world.told["v2"].digest))
        above = up(index, ended)
    edge = next(edge for edge in below.edges if edge.target == ended)
    assert (names_of(world, edge.source), edge.relation) == ("promoted2", "retired")
    assert below.nodes[ended].label == "delay@production is retired"
    assert "v2" in names(world)(above)


def test_an_unknown_digest_is_a_lonely_node(index: Index) -> None:
    graph = both(index, d("nothing"))
    assert list(graph.nodes) == [d("nothing")]
    assert graph.edges == ()


def test_a_step_that_changes_nothing_makes_no_circle(git: Git) -> None:
    world = World(open_ledger(git))
    world.ran("copy", "command", {"a": d("same")}, {"b": d("same")})
    world.ran("use", "command", {"b": d("same")}, {"c": d("other")})
    world.ran("undo", "command", {"c": d("other")}, {"a": d("same")})
    world.ledger.flush()
    with open_index(git) as index:
        graph = both(index, d("other"))
    assert d("same") in graph.nodes


def test_without_a_register_record_the_model_and_its_run_tell(
    git: Git, world: World, index: Index
) -> None:
    run = str(world.told["evaluate.delay#1"].digest)
    assert start_of(index, "delay", 9, digest=d("x"), run=run) == [d("x"), run]


def test_a_lineage_of_a_year_is_quick(git: Git, tmp_path: Path) -> None:
    import time

    world = World(Ledger(git, "year", tmp_path / "spool"))
    decision = None
    for n in range(1, 53):
        world.train(str(n), f"week{n}", parents=[decision] if decision else [])
        world.serve(str(n))
        decision = world.watch(str(n))
    world.ledger.flush()
    with open_index(git) as index:
        begun = time.perf_counter()
        graph = both(index, *start_of(index, "delay", 52, digest="", run=None))
        assert time.perf_counter() - begun < 1.0  # measured 0.1 s
    assert sum(node.kind == "version" for node in graph.nodes.values()) == 52
