"""The action `deploy.NAME` of the graph: what `mlops run deploy.NAME` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlops_cli.pipeline.reading.load import load
from mlops_cli.progress import SILENT, Progress
from mlops_cli.serving import deploy as deployments
from mlops_cli.serving.parts import Opened, open_parts


def deploy(
    project: Opened, name: str, *, now: Callable[[], datetime], progress: Progress = SILENT
) -> Mapping[str, Any]:
    """Deploy the environment `name` as pipeline.yaml says and return the facts of it."""
    parts = open_parts(project, now=now, progress=progress)
    done = deployments.apply(parts, name, load(project.root).deployments[name])
    champion = done.plan.environment.champion
    verb = "already serves" if done.plan.action == "none" else "serves"
    return {
        "environment": name,
        "model": champion.model,
        "version": champion.version,
        "digest": champion.digest,
        "url": done.running.url,
        "record": done.record,
        "commit": done.commit,
        "sentence": f"{name} {verb} {champion.label} at {done.running.url}",
    }
