"""Step 24, a promotion reaches production: the running server says the new number."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import yaml


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


def test_a_promotion_alone_starts_the_workflow_that_serves_it(project: Any, tmp_path: Path) -> None:
    """The forge is a hook of the bare repository: it runs the workflow's own lines for its tags."""
    workflow = ".github/workflows/deploy.yml"
    for path in ("pipeline.yaml", workflow):
        text = (project.root / path).read_text()
        (project.root / path).write_text(text.replace("delay@production", "delay@staging"))
    project.mlops("remote", "add", "store", f"file://{tmp_path}/store")
    project.commit("serve what is staged")
    hub, runner = tmp_path / "hub.git", tmp_path / "runner"
    project.git("clone", "-q", "--bare", str(project.root), str(hub))
    project.git("remote", "add", "origin", str(hub))
    project.mlops("push")
    project.git("clone", "-q", str(hub), str(runner))
    for name in ("user.name", "user.email"):
        project.git("-C", str(runner), "config", name, "runner@example.org")
    forge(hub, runner, yaml.safe_load((project.root / workflow).read_text()))

    try:
        assert project.mlops("promote", "delay@v1", "staging")["moved"]
        log = (tmp_path / "forge.log").read_text()
        (told,) = project.mlops("-C", str(runner), "deploy", "status")["environments"]
        assert version(told["url"]) == 1, log
    finally:
        project.mlops("-C", str(runner), "deploy", "stop", "prod", code=None)
    project.git("pull", "-q", "--rebase", "origin", project.git("branch", "--show-current"))
    assert project.git("log", "-1", "--format=%s") == "deploy: delay v1 to prod"


def forge(hub: Path, runner: Path, workflow: Any) -> None:
    """Let `hub` do what a forge does with `workflow`: run its job in `runner` for a tag of it."""
    (pattern,) = workflow[True]["push"]["tags"]  # YAML 1.1 takes the word `on` for true
    steps = workflow["jobs"]["deploy"]["steps"]
    lines = "\n".join(step["run"] for step in steps if "run" in step)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    hook = hub / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"""#!/bin/bash
unset GIT_DIR GIT_QUARANTINE_PATH
export PATH={shlex.quote(path)}
while read -r old new ref; do
  case "${{ref#refs/tags/}}" in
  {pattern})
    cd {shlex.quote(str(runner))} && git pull -q --tags && bash -ec {shlex.quote(lines)} ;;
  esac
done >> {shlex.quote(str(hub.parent / "forge.log"))} 2>&1
"""
    )
    hook.chmod(0o755)


def version(url: str) -> int:
    with urllib.request.urlopen(f"{url}/version", timeout=20) as answer:
        return int(json.load(answer)["version"])
