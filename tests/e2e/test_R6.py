"""R6, DevOps engineer: deploy and roll back by one command each. Generated workflows are held
against their schema in test_P1 and test_C3.

Missing: rules and dashboards for a monitoring system; secrets beyond git's and the environment's.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any


def test_one_command_brings_back_the_former_version(project: Any) -> None:
    first = project.mlops("deploy", "apply", "prod")
    former = first["version"]
    other = next(n for n in project.here("models", "show", "delay")["versions"] if n != former)
    project.edit("pipeline.yaml", "model: delay@production  ", f"model: delay@v{other}  ")
    project.commit("another version")
    second = project.mlops("deploy", "apply", "prod")
    assert answered(second["url"]) == other
    back = project.mlops("deploy", "rollback", "prod", "--reason", "errors")
    assert answered(back["url"]) == former
    assert project.git("status", "--porcelain") == "", "what runs is what git says"
    last = project.here("deploy", "history", "prod")["events"]
    assert any(event["action"] == "rollback" for event in last)


def answered(url: str) -> int:
    with urllib.request.urlopen(f"{url}/version", timeout=20) as answer:
        return int(json.load(answer)["version"])
