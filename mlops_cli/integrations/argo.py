"""Argo Workflows 3.6 and later: a Workflow for the pipeline, a CronWorkflow for each schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_cli.integrations import apart
from mlops_cli.integrations.blocks import block_yaml
from mlops_cli.integrations.flow import Flow, Plan, Task

# of the answers of mlops those after which another try may help: outside world, bug, killed
AGAIN = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [50, 70, 137, 143]'


class ArgoExporter:
    """One file with one resource for each flow."""

    folder = "argo"
    apart = True

    def files(self, plan: Plan) -> Mapping[str, str]:
        return {f"{flow.id}.yaml": block_yaml(_resource(plan, flow)) for flow in plan.flows}

    def cannot(self, plan: Plan) -> Iterable[str]:  # noqa: ARG002
        return ()


def _resource(plan: Plan, flow: Flow) -> dict[str, Any]:
    if flow.cron is None:
        named: dict[str, Any] = {"generateName": f"{flow.id}-"}
        return _of("Workflow", named, _spec(plan, flow))
    spec = {
        "schedules": [flow.cron],
        "timezone": flow.timezone,
        "concurrencyPolicy": "Forbid",
        "workflowSpec": _spec(plan, flow),
    }
    return _of("CronWorkflow", {"name": flow.id}, spec)


def _of(kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {**metadata, "labels": {"app.kubernetes.io/managed-by": "mlops"}},
        "spec": spec,
    }


def _spec(plan: Plan, flow: Flow) -> dict[str, Any]:
    tasks = list(apart.scripts(flow))
    return {
        "entrypoint": "flow",
        "arguments": {
            "parameters": [
                {"name": "repository", "value": apart.repository_of(plan)},
                {"name": "branch", "value": ""},
            ]
        },
        "templates": [
            {"name": "flow", "dag": {"tasks": [_node(task) for task, _ in tasks]}},
            *(_template(plan, task, script) for task, script in tasks),
        ],
    }


def _node(task: Task) -> dict[str, Any]:
    first = {"dependencies": list(task.after)} if task.after else {}
    return {"name": task.id, "template": f"run-{task.id}", **first}


def _template(plan: Plan, task: Task, script: str) -> dict[str, Any]:
    given = {
        "MLOPS_REPOSITORY": "{{workflow.parameters.repository}}",
        "MLOPS_BRANCH": "{{workflow.parameters.branch}}",
        **apart.NOBODY,
    }
    container: dict[str, Any] = {
        "image": apart.image_of(plan),
        "command": ["sh", "-ec"],
        "args": [apart.CLONE + script],
        "env": [{"name": name, "value": value} for name, value in given.items()],
        "envFrom": [{"secretRef": {"name": "mlops", "optional": True}}],
    }
    wants = {"cpu": task.cpus, "memory": task.mem, "nvidia.com/gpu": task.gpus}
    amounts = {name: str(amount) for name, amount in wants.items() if amount}
    if amounts:
        container["resources"] = {"requests": amounts, "limits": amounts}
    made: dict[str, Any] = {"name": f"run-{task.id}", "container": container}
    if task.limit:
        made["activeDeadlineSeconds"] = task.limit
    if task.retries:
        made["retryStrategy"] = {
            "limit": str(task.retries),
            "retryPolicy": "Always",
            "expression": AGAIN,
            "backoff": {"duration": f"{task.pause}s", "factor": "2"},
        }
    if task.mutex:
        made["synchronization"] = {"mutexes": [{"name": name} for name in task.mutex]}
    return made
