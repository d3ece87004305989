"""Step 24, a promotion reaches production: the running server says the new number.

Missing: the promotion itself starts the deployment in CI; here `deploy apply` is called.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import Any


def test_promote_then_apply_and_the_server_says_the_new_version(project: Any) -> None:
    project.edit("pipeline.yaml", "model: delay@production  ", "model: delay@staging  ")
    project.commit("serve what is staged")
    newest = max(project.mlops("models", "show", "delay")["versions"])
    project.mlops("promote", "delay@v1", "staging", "--reason", "the way back")
    first = project.mlops("deploy", "apply", "prod")
    assert version(first["url"]) == first["version"] == 1
    failed: list[str] = []
    asked = [0]
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                version(first["url"])
            except OSError as problem:
                failed.append(str(problem))
            asked[0] += 1

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        project.mlops("promote", f"delay@v{newest}", "staging")
        second = project.mlops("deploy", "apply", "prod")
    finally:
        stop.set()
        asking.join()

    assert version(second["url"]) == second["version"] == newest
    assert (second["action"], second["pid"]) == ("switch", first["pid"]), "no restart"
    assert asked[0] > 50 and not failed, "and no request was dropped"
    subjects = project.git("log", "-2", "--format=%s").splitlines()
    assert subjects == [f"deploy: delay v{newest} to prod", "deploy: delay v1 to prod"]
    back = project.mlops("deploy", "rollback", "prod", "--reason", "it was a test")
    assert version(back["url"]) == 1


def version(url: str) -> int:
    with urllib.request.urlopen(f"{url}/version", timeout=20) as answer:
        return int(json.load(answer)["version"])
