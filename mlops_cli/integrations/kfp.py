"""Kubeflow Pipelines 2: a PipelineSpec of container tasks, written without its SDK.

The schema is pipeline_spec.proto, version 2.1.0, of the project kubeflow/pipelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_cli.integrations import apart
from mlops_cli.integrations.blocks import block_yaml
from mlops_cli.integrations.flow import Flow, Plan, Task

GIVEN = ("repository", "branch")
TAKEN = "MLOPS_REPOSITORY=$1 MLOPS_BRANCH=$2\n"


class KfpExporter:
    """One file with one pipeline for each flow."""

    folder = "kfp"
    apart = True

    def files(self, plan: Plan) -> Mapping[str, str]:
        return {f"{flow.id}.yaml": block_yaml(_spec(plan, flow)) for flow in plan.flows}

    def cannot(self, plan: Plan) -> Iterable[str]:
        for flow in plan.flows:
            if flow.cron:
                yield (
                    f"{flow.id} has a schedule, {flow.cron!r} in {flow.timezone}: in Kubeflow"
                    " a recurring run of your making says that"
                )
            for task in flow.tasks:
                if task.mutex:
                    yield f"{flow.id}: {task.step} asks for a mutex, which Kubeflow has not"


def _spec(plan: Plan, flow: Flow) -> dict[str, Any]:
    tasks = list(apart.scripts(flow))
    inputs = {name: {"parameterType": "STRING"} for name in GIVEN}
    return {
        "components": {
            f"comp-{task.id}": {
                "executorLabel": f"exec-{task.id}",
                "inputDefinitions": {"parameters": inputs},
            }
            for task, _ in tasks
        },
        "deploymentSpec": {
            "executors": {
                f"exec-{task.id}": {"container": _container(plan, task, script)}
                for task, script in tasks
            }
        },
        "pipelineInfo": {"name": flow.id},
        "root": {
            "dag": {"tasks": {task.id: _task(task) for task, _ in tasks}},
            "inputDefinitions": {
                "parameters": {
                    "branch": {"defaultValue": "", "isOptional": True, "parameterType": "STRING"},
                    "repository": {
                        "defaultValue": apart.repository_of(plan),
                        "isOptional": True,
                        "parameterType": "STRING",
                    },
                }
            },
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "mlops",
    }


def _container(plan: Plan, task: Task, script: str) -> dict[str, Any]:
    # parameters are filled in in command and args, in env not by every version
    given = [f"{{{{$.inputs.parameters['{name}']}}}}" for name in GIVEN]
    made: dict[str, Any] = {
        "image": apart.image_of(plan),
        "command": ["sh", "-ec", TAKEN + apart.CLONE + script, "mlops"],
        "args": given,
        "env": [{"name": name, "value": value} for name, value in apart.NOBODY.items()],
    }
    resources: dict[str, Any] = {}
    if task.cpus:
        resources |= {"resourceCpuRequest": str(task.cpus), "resourceCpuLimit": str(task.cpus)}
    if task.mem:
        resources |= {"resourceMemoryRequest": str(task.mem), "resourceMemoryLimit": str(task.mem)}
    if task.gpus:
        resources["accelerator"] = {
            "resourceType": "nvidia.com/gpu",
            "resourceCount": str(task.gpus),
        }
    return {**made, "resources": resources} if resources else made


def _task(task: Task) -> dict[str, Any]:
    made: dict[str, Any] = {
        "cachingOptions": {},  # what is fresh mlops knows
        "componentRef": {"name": f"comp-{task.id}"},
        "inputs": {"parameters": {name: {"componentInputParameter": name} for name in GIVEN}},
        "taskInfo": {"name": task.id},
    }
    if task.after:
        made["dependentTasks"] = list(task.after)
    if task.retries:
        made["retryPolicy"] = {
            "maxRetryCount": task.retries,
            "backoffDuration": f"{task.pause}s",
            "backoffFactor": 2.0,
        }
    return made
