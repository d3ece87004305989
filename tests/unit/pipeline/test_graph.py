"""Sections lower to one graph of steps; circles and disputed outputs are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph

HEAD = "version: 1\nproject: {name: p}\n"
LOOP = """\
version: 1
project: {name: p, task: binary}
data:
  flights: {path: data/flights, time: t, label: {column: late}}
features:
  history: {entity: carrier, from: data.flights, time: t, windows: {n: {count: late, over: 7d}}}
train:
  delay:
    dataset: {spine: data.flights, features: [history]}
    code: src/train.py:train
models:
  delay: {from: train.delay}
deployments:
  prod: {model: delay}
monitors:
  prod: {deployment: prod}
"""


def graph(root: Path, text: str) -> Graph:
    (root / "pipeline.yaml").write_text(text)
    return open_graph(root)


def test_the_whole_loop_is_one_graph(tmp_path: Path) -> None:
    found = graph(tmp_path, LOOP)
    assert list(found.steps) == [
        "data.flights",
        "feature.history",
        "dataset.delay",
        "train.delay",
        "evaluate.delay",
        "register.delay",
        "deploy.prod",
        "monitor.prod",
    ]
    assert found.before["train.delay"] == ("dataset.delay",)
    assert found.before["dataset.delay"] == ("data.flights", "feature.history")
    assert found.before["deploy.prod"] == ("register.delay",)
    assert [name for name, step in found.steps.items() if step.action] == [
        "register.delay",
        "deploy.prod",
        "monitor.prod",
    ]
    assert found.producers["out/delay/model"] == "train.delay"


def test_owners_and_descriptions_are_in_no_key(tmp_path: Path) -> None:
    plain = graph(tmp_path, LOOP).steps["feature.history"].config
    owned = graph(tmp_path, LOOP.replace("{entity: carrier", "{owner: me, entity: carrier"))
    assert owned.steps["feature.history"].config == plain
    assert owned.steps["feature.history"].owner == "me"


def test_metrics_of_a_training_are_judged_without_training_again(tmp_path: Path) -> None:
    before = graph(tmp_path, LOOP)
    text = LOOP.replace("code: src/train.py:train", "code: src/train.py:train\n    metrics: brier")
    after = graph(tmp_path, text)
    assert before.steps["train.delay"] == after.steps["train.delay"]
    assert before.steps["evaluate.delay"] != after.steps["evaluate.delay"]


def test_a_step_may_read_a_source_by_name(tmp_path: Path) -> None:
    text = LOOP + "steps:\n  count: {cmd: wc, deps: [data.flights], outs: [out/n]}\n"
    step = graph(tmp_path, text).steps["count"]
    assert step.deps == ("data/flights", "out/data/flights.json")


def test_an_output_is_found_by_folder_and_by_what_lies_in_it(tmp_path: Path) -> None:
    text = HEAD + (
        "steps:\n"
        "  all: {cmd: c, deps: [out/parts], outs: [out/all]}\n"
        "  one: {cmd: c, deps: [out/parts/a/x], outs: [out/one]}\n"
        "  a: {cmd: c, outs: [out/parts/a]}\n"
        "  b: {cmd: c, outs: [./out/parts//b]}\n"
    )
    found = graph(tmp_path, text)
    assert found.before["all"] == ("a", "b")
    assert found.before["one"] == ("a",)
    assert found.name("out/parts/b/") == "b"


@pytest.mark.parametrize(
    ("steps", "code", "words"),
    [
        (
            "  a: {cmd: c, outs: [out/x]}\n  b: {cmd: c, outs: [out/x]}\n",
            "two-producers",
            ("pipeline.yaml:5:22", "pipeline.yaml:4:22", "b makes out/x", "and a "),
        ),
        (
            "  a: {cmd: c, outs: [out/x/y]}\n  b: {cmd: c, outs: [out/x]}\n",
            "two-producers",
            ("out/x/y, which lies in out/x",),
        ),
        (
            "  a: {cmd: c, deps: [out/b], outs: [out/a]}\n"
            "  b: {cmd: c, deps: [out/a], outs: [out/b]}\n",
            "cycle",
            ("pipeline.yaml:4:3", "a → b → a"),
        ),
        (
            "  a: {cmd: c, deps: [out/a], outs: [out/a]}\n",
            "cycle",
            ("a → a",),
        ),
        (
            "  a: {cmd: c, deps: [out/nothing], outs: [out/a]}\n",
            "missing-producer",
            ("pipeline.yaml:4:22", "no step makes out/nothing", "which a needs"),
        ),
    ],
)
def test_contradictions_are_refused_with_their_places(
    tmp_path: Path, steps: str, code: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        graph(tmp_path, HEAD + "steps:\n" + steps)
    assert caught.value.code == code
    for word in words:
        assert word in caught.value.message


def test_an_unknown_step_is_not_found_with_the_nearest_name(tmp_path: Path) -> None:
    found = graph(tmp_path, LOOP)
    with pytest.raises(NotFound) as caught:
        found.select(["trian.delay"])
    assert caught.value.hint == "did you mean 'train.delay'?"


def test_a_graph_from_the_cache_of_parsed_files_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(LOOP)
    cache = tmp_path / "parsed"
    first = open_graph(tmp_path, cache=cache)
    assert list(cache.iterdir())
    assert open_graph(tmp_path, cache=cache) == first
    next(cache.iterdir()).write_text("{")
    assert open_graph(tmp_path, cache=cache) == first
