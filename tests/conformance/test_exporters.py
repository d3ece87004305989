"""What every exporter keeps its word on; a new orchestrator is one more parameter."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_cli import plugins
from mlops_cli.integrations import compiled
from mlops_cli.integrations.flow import Exporter, Plan
from mlops_cli.integrations.plan import plan_of
from mlops_cli.pipeline.graph.assemble import graph
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.project import ProjectInfo
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.step import Step

STEPS = (
    Step("data.flights", "validate", deps=("data/flights",), outs=("out/flights.json",)),
    Step("Clean_up", "command", deps=("out/flights.json",), outs=("out/clean",), timeout="5m"),
    Step(
        "train.delay",
        "train",
        deps=("out/clean",),
        outs=("out/model",),
        retries={"times": 2, "on": ("signal",), "backoff": "30s"},
        resources={"cpus": 4, "gpus": 1, "mem": "2GiB", "mutex": ("gpu", "licence")},
    ),
    Step("deploy.prod", "deploy", deps=("out/model",), action=True),
)
PIPELINE = Pipeline(
    1, ProjectInfo("Flights"), triggers={"nightly": Trigger("Clean_up", cron="0 3 * * *")}
)


@pytest.fixture(params=sorted(plugins.EXPORTERS))
def exporter(request: pytest.FixtureRequest) -> Exporter:
    made: Exporter = plugins.load("mlops.exporters", request.param)()
    return made


@pytest.fixture
def plan() -> Plan:
    return plan_of(
        PIPELINE,
        graph(STEPS),
        ["data/flights", "data/weather"],
        image="registry/mlops@sha256:0",
        repository="https://example.org/flights.git",
    )


def _runs(text: str) -> list[str]:
    return re.findall(r"mlops run (\S+) --only", text)


def test_the_same_plan_gives_the_same_files(exporter: Exporter, plan: Plan) -> None:
    assert exporter.files(plan) == exporter.files(replace(plan))


def test_each_flow_is_a_file_and_each_step_a_task_in_order(exporter: Exporter, plan: Plan) -> None:
    whole, nightly = exporter.files(plan).items()
    assert Path(whole[0]).stem == "flights" and Path(nightly[0]).stem == "flights-nightly"
    assert _runs(whole[1]) == ["data.flights", "Clean_up", "train.delay"], "no action by itself"
    assert _runs(nightly[1]) == ["data.flights", "Clean_up"], "and nothing that comes later"


def test_a_changed_step_changes_the_file(exporter: Exporter, plan: Plan) -> None:
    slower = tuple(replace(step, timeout="2h") if step.timeout else step for step in STEPS)
    other = plan_of(PIPELINE, graph(slower), [], image=plan.image, repository=plan.repository)
    assert other.digest != plan.digest
    if exporter.folder != "kfp":  # which has no limit of time for a task
        assert exporter.files(other) != exporter.files(plan)


def test_a_machine_of_its_own_brings_just_the_data_of_its_step(
    exporter: Exporter, plan: Plan
) -> None:
    for text in exporter.files(plan).values():
        pulled = re.findall(r"mlops pull (.+)", text)
        assert pulled == (["data/flights"] if exporter.apart else [])
        assert ("--cached --pull" in text) == exporter.apart, "who commits at the end"


def test_what_was_written_is_fresh_until_the_plan_or_a_hand_changes_it(
    exporter: Exporter, plan: Plan, tmp_path: Path
) -> None:
    def states(plan: Plan) -> list[str]:
        return [file.state for file in compiled.compare("x", exporter, plan, tmp_path)]

    assert states(plan) == ["new", "new"]
    compiled.carry_out(compiled.compare("x", exporter, plan, tmp_path))
    assert states(plan) == ["fresh", "fresh"]
    written = sorted(tmp_path.iterdir())
    assert all(plan.digest in path.read_text() for path in written)
    assert states(replace(plan, flows=plan.flows[:1])) == ["changed", "gone"]
    written[0].write_text(written[0].read_text() + "# mine\n")
    assert sorted(states(plan)) == ["edited", "fresh"]
