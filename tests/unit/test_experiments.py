"""Axes, params files, and the choice of the next trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_cli.errors import UsageError
from mlops_cli.experiments.axes import Axis, parse
from mlops_cli.experiments.params import edited
from mlops_cli.experiments.search import best, hopeless, total, values
from mlops_cli.experiments.state import Plan, Trial, begin, resume

TEXT = b"# top\na:\n  lr: 0.1  # rate\n  layers:\n    - 1\n    - 2\nb: {c: word, d: null}\n"


def axes(tmp_path: Path, *words: str) -> list[Axis]:
    (tmp_path / "params.yaml").write_bytes(TEXT)
    return parse(words, tmp_path, ["params.yaml"])


def test_values_are_what_yaml_says_and_commas_in_brackets_stay(tmp_path: Path) -> None:
    found = axes(tmp_path, "a.lr=0.1,1e-4", "a.layers=[1,2],[3]", "b.c=x,'y,z',true", "b.d=null")
    assert [axis.values for axis in found] == [
        (0.1, 1e-4),
        ([1, 2], [3]),
        ("x", "y,z", True),
        (None,),
    ]


def test_ranges_are_whole_numbers_where_both_ends_are(tmp_path: Path) -> None:
    one, two, three = axes(tmp_path, "a.lr=1..9", "b.c=0.5..1", "b.d=log:1e-4..1e-1")
    assert (one.integer, two.integer, three.log) == (True, False, True)
    plan = Plan("s", "c", (one, two, three), by="random", trials=40, seed=7)
    drawn = [values(plan, n, ()) for n in range(40)]
    assert drawn == [values(plan, n, ()) for n in range(40)], "the seed says all"
    assert {type(each["a.lr"]) for each in drawn} == {int}
    assert all(1e-4 <= each["b.d"] <= 1e-1 for each in drawn)
    assert total(plan) == 40


@pytest.mark.parametrize("value", [1e-05, 0.5, 3, "a: b", "1e-05", [1, 0.00001], None, True])
def test_a_file_keeps_all_but_the_value(value: Any) -> None:
    text = edited(TEXT, {"a.lr": value, "a.layers": [9], "b.d": 2}, file="params.yaml")
    loaded = yaml.safe_load(text)
    assert loaded == {"a": {"lr": value, "layers": [9]}, "b": {"c": "word", "d": 2}}
    assert text.startswith(b"# top\na:\n  lr: ")
    assert b"  # rate\n" in text


def test_a_grid_counts_through_all_and_not_through_ranges(tmp_path: Path) -> None:
    plan = Plan("s", "c", tuple(axes(tmp_path, "a.lr=1,2", "b.c=x,y,z")))
    assert total(plan) == 6
    assert [tuple(values(plan, n, ()).values()) for n in (0, 1, 5)] == [
        (1, "x"),
        (1, "y"),
        (2, "z"),
    ]
    with pytest.raises(UsageError, match="range"):
        total(Plan("s", "c", tuple(axes(tmp_path, "a.lr=1..2"))))


def test_optuna_goes_where_it_was_good_and_needs_no_memory(tmp_path: Path) -> None:
    plan = Plan(
        "s", "c", tuple(axes(tmp_path, "a.lr=0.0..1.0", "b.c=x,y")), by="optuna", metric="m"
    )
    over: list[Trial] = []
    for n in range(25):
        chosen = values(plan, n, over)
        score = -((chosen["a.lr"] - 0.8) ** 2) - (chosen["b.c"] == "x")
        over.append(Trial(n, chosen, "done", value=score))
    assert values(plan, 25, over) == values(plan, 25, list(over))
    found = best(plan, over)
    assert found is not None
    assert abs(found.values["a.lr"] - 0.8) < 0.15
    assert found.values["b.c"] == "y"


def test_the_median_rule_ends_what_is_worse_than_most_were_by_then() -> None:
    plan = Plan("s", "c", (), metric="m", stop="median")
    curves = [[(0, 0.1 * k), (1, 0.2 * k), (2, 0.9)] for k in (1, 2, 3)]
    others = [Trial(n, {}, "done", series=tuple(curve)) for n, curve in enumerate(curves)]
    assert hopeless(plan, [(0, 0.05), (1, 0.2)], others)
    assert not hopeless(plan, [(0, 0.05), (1, 0.4)], others)
    assert not hopeless(plan, [(0, 0.01)], others[:2]), "two are too few to judge by"
    assert not hopeless(plan, [], others)
    smaller = Plan("s", "c", (), metric="m", goal="min", stop="median")
    assert hopeless(smaller, [(0, 0.9), (1, 0.8)], others)


def test_a_state_survives_a_torn_line(tmp_path: Path) -> None:
    plan = Plan("20130101T000000-a", "c", (Axis("params.yaml", "a", (1, 2)),))
    state = begin(tmp_path, plan)
    trial = state.claim(0, {"a": 1})
    state.end(Trial(0, trial.values, "done", "run", 1.0, {"m": 1.0}, ((0, 0.5),)))
    with open(state.folder / "state.jsonl", "ab") as file:
        file.write(b'{"claim": 1, "val')
    state.claim(1, {"a": 2})
    again = resume(tmp_path, "latest")
    assert (again.plan, again.trials) == (plan, state.trials)
    assert [one.number for one in again.cut_short()] == [1]
    with again.hold(1):
        assert state.cut_short() == []
