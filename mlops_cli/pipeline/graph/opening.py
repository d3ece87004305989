"""The graph of a project: remembered until a file changes that says which steps there are."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.keys import parsed
from mlops_cli.pipeline.step import from_json

if TYPE_CHECKING:
    from datetime import datetime

LOWERING = (".", "model", "words", "checks", "reading", "graph")  # who turns pipeline.yaml to steps


def open_graph(root: Path, *, cache: Path | None = None, now: datetime | None = None) -> Graph:
    """Return the graph of the project in `root`; `cache` is a folder that keeps parsed files, `now`
    the time that says which partitions there are.

    Raises what `load` and `graph` raise.
    """

    def make() -> dict[str, object]:
        from mlops_cli.pipeline.graph.reading import read
        from mlops_cli.pipeline.reading.lower import as_json

        made, reads, span = read(root, now)
        return {
            "span": span,
            "reads": {name: _digest(root, name) for name in sorted(reads)},
            "steps": as_json(tuple(made.steps.values())),
            "before": {name: list(first) for name, first in made.before.items()},
            "producers": dict(made.producers),
            "env": dict(made.env),
            "after": {name: list(later) for name, later in made.after.items()},
        }

    try:
        data = (root / "pipeline.yaml").read_bytes()
    except OSError:
        data = b""  # load says what is wrong

    def holds(known: Any) -> bool:
        if known["span"] and not known["span"][0] <= _moment(now) < known["span"][1]:
            return False
        return all(_digest(root, name) == digest for name, digest in known["reads"].items())

    maker = f"graph {_revision()}"
    value = parsed.remembered(data, make, maker=maker, cache=cache, holds=holds)
    return Graph(
        {step["name"]: from_json(step) for step in value["steps"]},
        {name: tuple(first) for name, first in value["before"].items()},
        value["producers"],
        value["env"],
        {name: tuple(later) for name, later in value["after"].items()},
    )


def _moment(now: datetime | None) -> float:
    return time.time() if now is None else now.timestamp()


def _digest(root: Path, name: str) -> str | None:
    try:
        return hashlib.sha256((root / name).read_bytes()).hexdigest()
    except OSError:
        return None


def _revision() -> str:
    """Return what changes when the code that lowers changes, in an installed or edited package."""
    here = Path(__file__).parent.parent
    files = (file for folder in LOWERING for file in os.scandir(here / folder))
    return " ".join(sorted(str(f.stat().st_mtime_ns) for f in files if f.name.endswith(".py")))
