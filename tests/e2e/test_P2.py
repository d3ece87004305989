"""P2, workflow orchestration: the order comes from who makes what another step reads."""

from __future__ import annotations

from typing import Any

# each of the two waits until the other has begun: they end only if they run at the same time
MEET = """\
version: 1
project: {name: meet}
steps:
  one:
    cmd: touch out/one; for i in $(seq 300); do test -e out/two && exit 0; sleep 0.1; done; exit 1
    outs: [out/one]
  two:
    cmd: touch out/two; for i in $(seq 300); do test -e out/one && exit 0; sleep 0.1; done; exit 1
    outs: [out/two]
"""
CYCLE = """\
version: 1
project: {name: circle}
steps:
  hen: {cmd: touch out/hen, deps: [out/egg], outs: [out/hen]}
  egg: {cmd: touch out/egg, deps: [out/hen], outs: [out/egg]}
"""


def test_the_graph_is_drawn_from_the_declared_inputs_and_outputs(demo: Any) -> None:
    drawn = demo.run("mlops", "dag", "--format", "mermaid").stdout
    assert drawn.startswith(("flowchart", "graph"))
    data = demo.mlops("dag", "--format", "json")
    order = {step["name"]: at for at, step in enumerate(data["steps"])}
    for before, after in (
        ("data.weather", "feature.weather_at_origin"),
        ("feature.weather_at_origin", "dataset.delay"),
        ("dataset.delay", "train.delay"),
        ("train.delay", "evaluate.delay"),
    ):
        assert order[before] < order[after]


def test_steps_that_do_not_need_each_other_run_at_the_same_time(bare: Any) -> None:
    (bare.root / "pipeline.yaml").write_text(MEET)
    done = bare.mlops("run", "-j2")
    assert {step["step"]: step["did"] for step in done["steps"]} == {"one": "ran", "two": "ran"}


def test_a_cycle_is_refused_with_both_names_and_the_line(bare: Any) -> None:
    (bare.root / "pipeline.yaml").write_text(CYCLE)
    told = bare.said("run", code=10)
    assert "hen" in told and "egg" in told
    assert "pipeline.yaml:4" in told or "pipeline.yaml:5" in told


def test_an_input_that_nothing_makes_is_refused_with_the_line(bare: Any) -> None:
    (bare.root / "pipeline.yaml").write_text(CYCLE.replace("deps: [out/egg]", "deps: [nowhere]"))
    told = bare.said("run", code=20)
    assert "nowhere" in told and "hen" in told and "pipeline.yaml:4" in told
