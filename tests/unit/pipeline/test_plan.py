"""A plan is pure: what is stale, why, and what the run cache already knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlops_cli.pipeline.graph.assemble import graph
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.keys.key import Key, key
from mlops_cli.pipeline.planning import reasons
from mlops_cli.pipeline.planning.plan import Item, Plan, World, plan
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import Lock, Output, as_json, read_lock
from mlops_cli.pipeline.traces.runcache import Seen

ONE = "sha256:" + "1" * 64
TWO = "sha256:" + "2" * 64
DATA = "sha256:" + "d" * 64

CLEAN = Step(
    "clean",
    "command",
    deps=("data.csv",),
    outs=("out/clean",),
    cmd=("c",),
    params=("params.yaml:clean",),
    code=("src/clean.py",),
    variables=("REGION",),
)
FIT = Step("fit", "command", deps=("out/clean",), outs=("out/fit",), cmd=("f",))
ACT = Step("register.m", "register", needs=("fit",), action=True)


def made(digest: str) -> Output:
    return Output(digest, "file", 1, 1)


def world() -> World:
    return World(
        {"data.csv": DATA, "out/clean": ONE, "out/fit": TWO},
        {"python": "3.11"},
        {"params.yaml:clean": {"lr": 0.1}},
        {"clean": {"src/clean.py": {"function go": "a", "the top level": "b"}}},
        {"REGION": "x"},
    )


def key_of(step: Step, now: World) -> Key:
    return key(
        step,
        inputs={path: str(now.paths[path]) for path in step.deps},
        params={ref: now.params[ref] for ref in step.params},
        code=now.code.get(step.name, {}),
        environment=now.environment,
        variables={name: now.variables[name] for name in step.variables},
    )


def locks() -> dict[str, Lock]:
    now = world()
    clean, fit = key_of(CLEAN, now), key_of(FIT, now)
    return {
        "clean": Lock("clean", clean.digest, clean.parts, {"out/clean": made(ONE)}),
        "fit": Lock("fit", fit.digest, fit.parts, {"out/fit": made(TWO)}),
    }


def planned(now: World, held: dict[str, Lock] | None = None, **more: Any) -> dict[str, Item]:
    steps: Graph = graph(more.pop("steps", (CLEAN, FIT, ACT)))
    more.setdefault("recall", lambda key: None)
    found: Plan = plan(steps, locks() if held is None else held, now, **more)
    return {item.step.name: item for item in found.items}


def test_nothing_is_stale_when_nothing_changed() -> None:
    found = planned(world())
    assert {name: item.action for name, item in found.items()} == {"clean": "skip", "fit": "skip"}


def test_a_new_project_runs_everything_in_order() -> None:
    found = planned(World({"data.csv": DATA}, {"python": "3.11"}), held={}, steps=(FIT, CLEAN))
    assert list(found) == ["clean", "fit"]
    assert found["clean"].because[-1] == reasons.NeverRan()


def test_each_part_of_the_key_says_itself() -> None:
    now = world()
    changes: list[tuple[World, reasons.Reason, str]] = [
        (
            replace(now, params={"params.yaml:clean": {"lr": 0.01}}),
            reasons.ParamChanged("clean.lr", 0.1, 0.01),
            "param clean.lr 0.1 → 0.01",
        ),
        (
            replace(now, paths={**now.paths, "data.csv": TWO}),
            reasons.InputChanged("data.csv", DATA, TWO),
            "data.csv changed",
        ),
        (
            replace(
                now, code={"clean": {"src/clean.py": {"function go": "z", "the top level": "b"}}}
            ),
            reasons.CodeChanged("src/clean.py", "function go"),
            "function go in src/clean.py changed",
        ),
        (
            replace(now, variables={"REGION": "y"}),
            reasons.VariableChanged("REGION"),
            "the environment variable REGION changed",
        ),
    ]
    for changed, reason, sentence in changes:
        item = planned(changed)["clean"]
        assert item.action == "run"
        assert item.because == (reason,)
        assert item.because[0].sentence() == sentence


def test_another_interpreter_makes_all_stale() -> None:
    found = planned(replace(world(), environment={"python": "3.12"}))
    assert found["clean"].because[0].sentence() == "python 3.11 → 3.12"
    assert found["fit"].action == "run"


def test_a_changed_command_shows_both() -> None:
    found = planned(world(), steps=(replace(CLEAN, cmd=("c --fast",)), FIT))
    assert found["clean"].because[0].sentence() == "cmd c → c --fast"


def test_what_comes_after_a_stale_step_waits_for_its_outputs() -> None:
    found = planned(replace(world(), params={"params.yaml:clean": {"lr": 0.2}}))
    assert found["fit"].action == "run"
    assert found["fit"].because == (reasons.UpstreamStale("clean"),)
    assert found["fit"].key is None


def test_a_key_that_was_seen_is_restored_and_so_is_what_follows() -> None:
    now = replace(world(), params={"params.yaml:clean": {"lr": 0.2}})
    seen = {
        key_of(CLEAN, now).digest: Seen({"out/clean": made(ONE)}, {}, {}),
    }
    found = planned(now, recall=seen.get)
    assert found["clean"].action == "restore"
    assert found["fit"].action == "skip", "the restored output is the one that fit has read"


def test_an_output_that_is_gone_or_edited_is_told() -> None:
    now = world()
    gone = planned(replace(now, paths={**now.paths, "out/fit": None}))["fit"]
    assert gone.because == (reasons.OutputMissing("out/fit"),)
    edited = planned(replace(now, paths={**now.paths, "out/fit": DATA}))["fit"]
    assert edited.because == (reasons.OutputChanged("out/fit"),)


def test_a_missing_input_blocks_the_step_and_all_after_it() -> None:
    now = world()
    found = planned(replace(now, paths={**now.paths, "data.csv": None}))
    assert found["clean"].action == "blocked"
    assert found["clean"].because[0] == reasons.InputMissing("data.csv")
    assert found["fit"].action == "blocked"


def test_force_runs_what_is_named_and_asks_no_cache() -> None:
    seen = Seen({"out/fit": made(TWO)}, {}, {})
    found = planned(world(), forced={"fit"}, recall=lambda key: seen)
    assert (found["clean"].action, found["fit"].action) == ("skip", "run")


def test_a_frozen_step_is_left_as_it_is() -> None:
    now = replace(world(), params={"params.yaml:clean": {"lr": 0.2}})
    found = planned(now, steps=(replace(CLEAN, frozen=True), FIT))
    assert (found["clean"].action, found["fit"].action) == ("skip", "skip")


def test_a_step_that_says_always_runs_always() -> None:
    found = planned(world(), steps=(replace(CLEAN, always=True), FIT))
    assert found["clean"].because == (reasons.Always(),)
    assert found["fit"].action == "run"


def test_only_what_is_selected_is_planned() -> None:
    assert list(planned(world(), selected={"clean"})) == ["clean"]


def test_reasons_are_plain_for_programs() -> None:
    assert reasons.ParamChanged("lr", 0.1, 0.01).as_json() == {
        "code": "param-changed",
        "sentence": "param lr 0.1 → 0.01",
        "name": "lr",
        "old": 0.1,
        "new": 0.01,
    }


def test_a_lock_is_read_as_it_was_written() -> None:
    import json

    lock = locks()["clean"]
    assert read_lock(json.dumps(as_json(lock)).encode(), step="clean") == lock
