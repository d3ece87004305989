"""The action `monitor.NAME` of the graph: what `mlops run monitor.NAME` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlops_cli.monitoring import monitor as monitors
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.reading.load import load
from mlops_cli.progress import SILENT, Progress
from mlops_cli.serving.parts import Opened, open_parts


def check(
    project: Opened, name: str, *, now: Callable[[], datetime], progress: Progress = SILENT
) -> Mapping[str, Any]:
    """Check the window that ends now, record the check and the decision, and return their facts."""
    pipeline = load(project.root)
    at = now()
    size = duration(monitors.find(pipeline, name).window.size)
    parts = open_parts(project, now=now, progress=progress)
    done = monitors.check(parts, pipeline, name, start=at - size, end=at, at=at)
    return {
        "monitor": name,
        "verdict": done.verdict,
        "rows": done.rows,
        "check": done.record,
        "decision": done.decided,
        "action": done.decision.action,
        "sentence": f"monitor {name}: {done.verdict}, {done.rows:,} rows",
    }
