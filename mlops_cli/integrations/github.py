"""GitHub Actions: a workflow of one job a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_cli.integrations import apart
from mlops_cli.integrations.blocks import block_yaml
from mlops_cli.integrations.flow import Flow, Plan, Task

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class GithubExporter:
    """One workflow for each flow."""

    folder = ".github/workflows"
    apart = True

    def files(self, plan: Plan) -> Mapping[str, str]:
        return {f"{flow.id}.yml": block_yaml(_workflow(plan, flow)) for flow in plan.flows}

    def cannot(self, plan: Plan) -> Iterable[str]:
        for flow in plan.flows:
            for task in flow.tasks:
                if task.cpus or task.mem or task.gpus:
                    yield (
                        f"{flow.id}: {task.step} asks for resources, and on GitHub all jobs"
                        " run on ubuntu-latest"
                    )
                if len(task.mutex) > 1:
                    yield f"{flow.id}: of the mutexes of {task.step} GitHub keeps the first"


def _workflow(plan: Plan, flow: Flow) -> dict[str, Any]:
    on: dict[str, Any] = {"workflow_dispatch": {}}
    if flow.cron:
        on["schedule"] = [{"cron": flow.cron, "timezone": flow.timezone}]
    return {
        "name": flow.id,
        "on": on,
        "permissions": {"contents": "write"},
        "concurrency": {"group": f"mlops-{flow.id}", "cancel-in-progress": False},
        "env": {
            **apart.NOBODY,
            **{name: f"${{{{ secrets.{name} }}}}" for name in SECRETS},
        },
        "jobs": {task.id: _job(plan, task, script) for task, script in apart.scripts(flow)},
    }


def _job(plan: Plan, task: Task, script: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": task.step,
        "runs-on": "ubuntu-latest",
        "container": {"image": apart.image_of(plan)},
        "steps": [
            {"uses": "actions/checkout@v4", "with": {"fetch-depth": 0}},
            {
                "name": "mlops",
                "shell": "sh -e {0}",
                # in a container the checkout belongs to somebody else
                "run": 'git config --global --add safe.directory "$PWD"\n' + script,
            },
        ],
    }
    if task.after:
        made["needs"] = list(task.after)
    if task.limit:
        made["timeout-minutes"] = -(-task.limit // 60)
    if task.mutex:
        made["concurrency"] = {"group": f"mlops-mutex-{task.mutex[0]}", "queue": "max"}
    return made
