"""Airflow 2.9 and later, and 3: a DAG of BashOperators over one work tree.

The file imports nothing of mlops: workers need the command and the work tree, which lies around
the file or at MLOPS_PROJECT; the scheduler needs neither.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping

from mlops_cli.integrations.flow import Flow, Plan, Task

_TOP = """\
from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pendulum

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

HERE = Path(__file__).resolve().parent
AROUND = (one for one in (HERE, *HERE.parents) if (one / "pipeline.yaml").is_file())
PROJECT = os.environ.get("MLOPS_PROJECT") or str(next(AROUND, HERE))

"""


class AirflowExporter:
    """One file with one DAG for each flow."""

    folder = "dags"
    apart = False

    def files(self, plan: Plan) -> Mapping[str, str]:
        return {f"{flow.id}.py": _dag(flow) for flow in plan.flows}

    def cannot(self, plan: Plan) -> Iterable[str]:  # noqa: ARG002
        return ()


def _dag(flow: Flow) -> str:
    lines = [
        "with DAG(",
        f"    dag_id={_text(flow.id)},",
        f"    schedule={_text(flow.cron) if flow.cron else None},",
        # fixed, as a date of today would be another file tomorrow
        f"    start_date=pendulum.datetime(2024, 1, 1, tz={_text(flow.timezone)}),",
        "    catchup=False,",
        "    max_active_runs=1,",
        '    tags=["mlops"],',
        "):",
        "    task = {}",
    ]
    for task in flow.tasks:
        lines += _operator(task)
    for task in flow.tasks:
        if task.after:
            first = ", ".join(f"task[{_text(one)}]" for one in task.after)
            lines.append(f"    [{first}] >> task[{_text(task.id)}]")
    return _TOP + "\n".join(lines) + "\n"


def _operator(task: Task) -> list[str]:
    wants = {"cpus": task.cpus, "ram": task.mem and -(-task.mem // 2**20), "gpus": task.gpus}
    resources = {name: amount for name, amount in wants.items() if amount}
    given = {
        "task_id": _text(task.id),
        "bash_command": _text(f"mlops run {shlex.quote(task.step)} --only"),
        "cwd": "PROJECT",
        "do_xcom_push": "False",
        "retries": str(task.retries),
    }
    if task.retries:
        given["retry_delay"] = f"timedelta(seconds={task.pause})"
        given["retry_exponential_backoff"] = "True"
    if task.limit:
        given["execution_timeout"] = f"timedelta(seconds={task.limit})"
    if resources:
        given["resources"] = json.dumps(resources)
    words = [f"        {name}={value}," for name, value in given.items()]
    return [f"    task[{_text(task.id)}] = BashOperator(", *words, "    )"]


def _text(value: str) -> str:
    """Return a literal of Python; that of JSON is one."""
    return json.dumps(value)
