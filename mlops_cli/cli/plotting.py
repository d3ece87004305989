"""What runs logged, collected from the cache and written as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import fsio, live
from mlops_cli.cli.render import plots
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.ledger.query import Run
    from mlops_cli.project import Project


def write(target: Path, project: Project, runs: Sequence[Run]) -> int:
    """Write the curves of `runs` into the HTML file `target`; return how many there are.

    Raises NotFound ("missing-object") where the cache has lost what a run logged.
    """
    curves: dict[str, list[plots.Curve]] = {}
    for run in runs:
        for record in run.records:
            if not record["series"]:
                continue
            series = live.parse(project.cache.read(Digest(record["series"])))
            label = str(record["step"]) if len(runs) == 1 else f"{run.id} {record['step']}"
            for name, points in series.metrics.items():
                known = [(point.step, point.value) for point in points if point.value is not None]
                curves.setdefault(name, []).append(plots.Curve(label, known))
    tables = [
        (run.id, _values(run, "params"), {**_values(run, "metrics"), "status": run.status})
        for run in runs
    ]
    fsio.write_atomic(target, plots.page(curves, tables))
    return sum(map(len, curves.values()))


def _values(run: Run, field: str) -> dict[str, object]:
    return {name: value for record in run.records for name, value in (record[field] or {}).items()}
