"""`map:`: a command for each file of a pattern; only new and changed ones run, into one folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.globs import matches
from mlops_cli.pipeline.keys.params import read_params
from mlops_cli.pipeline.planning.look import digest_at
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.copies import copy
from mlops_cli.pipeline.traces.lock import Lock, find_lock
from mlops_cli.pipeline.words.interpolate import interpolate
from mlops_cli.pipeline.words.items import filled, words


class MapStep:
    """Makes the folder out of what it made before and of what new and changed items make."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        from concurrent.futures import ThreadPoolExecutor

        pattern, template = step.config["map"], step.config["out"]
        (out,) = step.outs
        inputs: Mapping[str, str] = context.parts["inputs"]
        items = [path for path in inputs if matches(pattern, path)]
        places = _places(step, pattern, template, items)
        former = _former(step, context, pattern)
        scratch = context.outs[out]
        scratch.mkdir(parents=True, exist_ok=True)
        fresh: list[str] = []
        for path, place in places.items():
            kept = context.root / place
            if former.get(path) == inputs[path] and os.path.lexists(kept):
                copy(kept, scratch / os.path.relpath(place, out))
            else:
                fresh.append(path)
        params = read_params(context.root, [one for one in step.params if one.startswith("params")])
        lines = [interpolate(line, params) for line in step.cmd]

        def make(path: str) -> None:
            target = scratch / os.path.relpath(places[path], out)
            target.parent.mkdir(parents=True, exist_ok=True)
            _run(step, context, lines, {**words(pattern, path), "out": str(target)}, places[path])

        with ThreadPoolExecutor(max(1, int(step.resources.get("cpus") or 1))) as pool:
            for done in [pool.submit(make, path) for path in fresh]:
                try:
                    done.result()
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
        gone = len(former.keys() - places.keys())
        return Outcome({}, {"items": len(items), "made": len(fresh), "gone": gone})


def _places(step: Step, pattern: str, template: str, items: list[str]) -> dict[str, str]:
    """Return item → where what it makes belongs. Raises StepFailed for two with one place."""
    found: dict[str, str] = {}
    makers: dict[str, str] = {}
    for path in items:
        place = filled(template, words(pattern, path), quoted=False)
        if place in makers:
            raise StepFailed(
                f"{path} and {makers[place]} both make {place}",
                code="two-producers",
                hint=f"use ${{item.name}} in outs: of {step.name}",
                details={"step": step.name, "path": place},
            )
        makers[place] = path
        found[path] = os.path.normpath(place)
    return found


def _former(step: Step, context: RunContext, pattern: str) -> dict[str, str]:
    """Return item → its digest when it was made; nothing where all is to be made again, because
    something else in the key changed, or what was made is not there as it was."""
    lock = find_lock(context.root, step.name)
    (out,) = step.outs
    if (
        lock is None
        or out not in lock.outputs
        or _rest(lock.parts, pattern) != _rest(context.parts, pattern)
    ):
        return {}
    if not _there(lock, context.root, out):
        return {}
    inputs = lock.parts.get("inputs", {})
    return {path: digest for path, digest in inputs.items() if matches(pattern, path)}


def _rest(parts: Mapping[str, Any], pattern: str) -> dict[str, Any]:
    inputs = {k: v for k, v in parts.get("inputs", {}).items() if not matches(pattern, k)}
    return {**parts, "inputs": inputs}


def _there(lock: Lock, root: Path, out: str) -> bool:
    return digest_at(root, out, stats=None, store=None) == lock.outputs[out].digest


def _run(
    step: Step, context: RunContext, lines: list[str], item: Mapping[str, str], place: str
) -> None:
    script = "\n".join(["set -e", *(filled(line, item, quoted=True) for line in lines)])
    code = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=context.root / step.wdir,
        env={**os.environ, **step.env},
        check=False,
    ).returncode
    if code:
        raise StepFailed(
            f"it failed with exit status {code} on {item['path']}",
            code="step-failed",
            details={"step": step.name, "item": item["path"], "exit_status": code},
        )
    if not os.path.lexists(item["out"]):
        raise StepFailed(
            f"it ended well on {item['path']}, and did not write {place}",
            code="output-missing",
            hint="write to ${item.out}",
            details={"step": step.name, "item": item["path"], "path": place},
        )
