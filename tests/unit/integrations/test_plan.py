"""The pipeline as flows: names that all orchestrators take, limits, actions, partitions."""

from __future__ import annotations

import re

import pytest

from mlops_cli.integrations import apart
from mlops_cli.integrations.flow import COMMIT, Plan
from mlops_cli.integrations.plan import plan_of
from mlops_cli.pipeline.graph.assemble import graph
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.project import ProjectInfo
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.step import Step


def _plan(*steps: Step, **triggers: Trigger) -> Plan:
    return plan_of(Pipeline(1, ProjectInfo("p"), triggers=triggers), graph(steps), [])


def test_ids_are_names_for_kubernetes_and_never_shared() -> None:
    steps = [Step(name, "command") for name in ("a.b", "a-b", "A_b", "commit", "1st", "x" * 90)]
    ids = [task.id for task in _plan(*steps).flows[0].tasks]
    assert len(set(ids)) == len(ids) and COMMIT not in ids
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,47}", id_) for id_ in ids)
    assert ids[4] == "s-1st" and ids[0].startswith("a-b-")


def test_the_limit_of_a_task_holds_all_tries_of_its_step_and_their_pauses() -> None:
    retries = {"times": 2, "on": ("exit 75",), "backoff": "10s"}
    (task,) = _plan(Step("a", "command", timeout="1m", retries=retries)).flows[0].tasks
    assert task.limit == 3 * 60 + (10 + 20) + 600
    assert task.retries == 0, "exit 75 comes from the step, and mlops tries it again itself"


def test_an_action_is_run_by_the_trigger_that_names_it_and_is_not_run_again_to_commit() -> None:
    plan = _plan(
        Step("train", "command", outs=("out/m",)),
        Step("deploy.prod", "deploy", deps=("out/m",), action=True),
        Step("monitor.prod", "monitor", needs=("deploy.prod",), action=True),
        hourly=Trigger("monitor.prod", cron="17 * * * *"),
    )
    whole, hourly = plan.flows
    assert [task.step for task in whole.tasks] == ["train"]
    assert [task.step for task in hourly.tasks] == ["train", "monitor.prod"]
    assert hourly.tasks[1].after == ("train",), "through the action that is left out"
    assert hourly.makes == ("train",)
    assert [task.id for task, _ in apart.scripts(hourly)] == ["train", "monitor-prod", "commit"]


def test_a_flow_of_actions_alone_commits_nothing() -> None:
    plan = _plan(Step("look", "monitor", action=True), hourly=Trigger("look", cron="0 * * * *"))
    assert plan.flows[1].makes is None
    assert [task.id for task, _ in apart.scripts(plan.flows[1])] == ["look"]


def test_all_partitions_of_an_entry_are_one_task() -> None:
    days = [
        Step(f"day@{day}", "command", outs=(f"out/d/{day}",), partition=day, timeout="1m")
        for day in ("2024-01-01", "2024-01-02")
    ]
    last = Step("all", "command", deps=("out/d",), outs=("out/all",))
    more = Step("day@2024-01-03", "command", outs=("out/d/2024-01-03",), partition="2024-01-03")
    plan = _plan(*days, last)
    assert [(task.step, task.after) for task in plan.flows[0].tasks] == [
        ("day", ()),
        ("all", ("day",)),
    ]
    assert plan.digest == _plan(*days, more, last).digest, "a new day makes no file stale"


@pytest.mark.parametrize(
    "trigger", [Trigger("retrain.delay", cron="0 3 1 * *"), Trigger("a", on="push")]
)
def test_what_only_a_tick_can_do_is_no_flow(trigger: Trigger) -> None:
    assert [flow.id for flow in _plan(Step("a", "command"), t=trigger).flows] == ["p"]
