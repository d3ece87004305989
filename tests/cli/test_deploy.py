"""`mlops deploy`: plan, apply, switch, roll back, look and stop, as a user sees it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving_world
from serving_world import World

from mlops_cli.serving.targets.local import LocalTarget

PIPELINE = """\
version: 1
project: {name: delays, task: binary}
data:
  flights: {path: data/flights, key: flight_id, time: departed, label: {column: late}}
train:
  delay:
    dataset: {spine: data.flights, columns: [distance]}
    code: src/train.py:train
    metrics: [roc_auc]
models:
  delay: {from: train.delay, aliases: {production: {}, staging: {}}}
deployments:
  prod: {model: delay@production, target: {port: 0}}
"""


@pytest.fixture
def mlops(mlops_process: Any) -> Any:
    """A process: the server that it starts lives on without it."""
    return mlops_process


@pytest.fixture
def world(repo: Path) -> Iterator[World]:
    made = serving_world.make_world(repo)
    (repo / "pipeline.yaml").write_text(PIPELINE)
    yield made
    LocalTarget(repo).stop("prod", wait=20)


def test_deploy_from_plan_to_rollback(
    world: World,
    mlops: Callable[..., Any],
    git: Callable[..., str],
    assert_valid: Callable[[Any], None],
) -> None:
    def ask(*words: str, code: int = 0) -> Any:
        result = mlops(*words, "--json", code=code)
        assert_valid(result.json)
        return result.json["data"] if result.json["ok"] else result.error

    assert ask("deploy", "status") == {"environments": []}
    world.promote(world.register(0.0))
    plan = ask("deploy", "plan", "prod")
    assert (plan["action"], plan["version"]) == ("start", 1)
    first = ask("deploy", "apply", "prod")
    assert ask("deploy", "apply")["action"] == "none"
    world.promote(world.register(1.0))
    plan = ask("deploy", "plan")
    assert [change["sentence"] for change in plan["changes"]] == ["champion: delay v1 to delay v2."]
    second = ask("deploy", "apply")
    assert (second["action"], second["pid"]) == ("switch", first["pid"])
    row = "distance=1.5,wind=,carrier=UA,stops=1"
    assert ask("predict", "prod", "--row", row)["version"] == 2
    back = ask("deploy", "rollback", "--reason", "it was late")
    assert (back["version"], back["former"]) == (1, 2)
    assert ask("predict", "prod", "--row", row)["version"] == 1
    (told,) = ask("deploy", "status", "--check")["environments"]
    assert (told["state"], told["served_version"], told["requests"]) == ("running", 1, 2)
    assert ask("deploy", "apply", code=30)["code"] == "rolled-back"
    events = ask("deploy", "history")["events"]
    # all at one time of a fixed clock, so in no certain order
    assert sorted(event["action"] for event in events) == ["deploy", "rollback", "switch"]
    assert git("log", "--format=%s", "-3").splitlines() == [
        "deploy: prod back to delay v1",
        "deploy: delay v2 to prod",
        "deploy: delay v1 to prod",
    ]
    assert ask("deploy", "logs")["environment"] == "prod"
    assert ask("deploy", "stop") == {"environment": "prod", "stopped": True}
    assert ask("deploy", "stop")["stopped"] is False
    assert ask("deploy", "status", "--check", code=1)["environments"][0]["state"] == "stopped"
    assert ask("predict", "prod", "--row", row, code=30)["code"] == "not-running"


def test_the_screen_says_what_happened_and_how_to_mend_it(
    world: World, mlops: Callable[..., Any]
) -> None:
    world.promote(world.register(0.0))
    applied = mlops("deploy", "apply", code=0).stdout
    assert "champion: delay v1, the first." in applied
    assert "prod serves delay v1 (" in applied
    pid = LocalTarget(world.root).look("prod").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while LocalTarget(world.root).look("prod").state == "running":
        pass
    told = mlops("deploy", "status", code=0).stdout
    assert "died" in told
    assert "mlops deploy logs prod" in told
    assert "server: start it, it died." in mlops("deploy", "plan", code=0).stdout
    assert "serves delay v1" in mlops("deploy", "apply", code=0).stdout


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("deploy", "apply", "staging"), 20, "unknown-deployment"),
        (("deploy", "apply", "prod"), 20, "unknown-model"),
        (("deploy", "rollback", "prod"), 20, "unknown-environment"),
        (("deploy", "stop", "../x"), 2, "bad-name"),
        (("predict", "prod"), 2, "missing-argument"),
        (("predict", "prod", "--row", "a=1"), 20, "unknown-environment"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    world: World,
    mlops: Callable[..., Any],
    assert_valid: Callable[[Any], None],
    words: tuple[str, ...],
    code: int,
    error: str,
) -> None:
    result = mlops(*words, "--json", code=code)
    assert_valid(result.json)
    assert result.error["code"] == error
    assert result.error["hint"]
