"""`mlops runs compare`: runs side by side, only what differs, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import compare as pages
from mlops_cli.errors import UsageError
from mlops_cli.experiments.why import PARTS, why
from mlops_cli.ledger import query
from mlops_cli.ledger.index import open_index
from mlops_cli.vcs.repo import Git


def command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Two runs or more.", autocompletion=known.runs),
    ],
    everything: Annotated[
        bool, typer.Option("-a", "--all", help="Also what is the same in all.")
    ] = False,
    reasons: Annotated[
        bool, typer.Option("--why", help="Of two runs: which of params, code, data … differ.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--md", help="A table for a pull request.")] = False,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Write what was logged into one HTML file.")
    ] = None,
) -> int:
    """Put the params and metrics of runs side by side; a run is named by its beginning or 'latest'.

    --why holds two runs against each other step by step: params, code, data, environment and
    hardware, and by what each of them differs.
    """
    ctx = context.current()
    project = ctx.project()
    if len(names) < 2 or (reasons and len(names) != 2):
        raise UsageError(
            "--why holds two runs against each other" if reasons else "one run is no comparison",
            code="bad-options",
            hint="mlops runs compare RUN OTHER; mlops runs list names them",
        )
    with open_index(project.git) as index:
        found = [query.run(index, name) for name in names]
    tables = {field: _side_by_side(found, field, everything) for field in ("params", "metrics")}
    data: dict[str, Any] = {
        "runs": [
            {"id": run.id, "status": run.status, "started": run.started, "experiment": _set(run)}
            for run in found
        ],
        **tables,
        "why": _why(project.git, *found) if reasons else None,
    }
    if plots is not None:
        from mlops_cli.cli.plotting import write

        write(ctx.cwd / plots, project, found)
    return ctx.show(data, "mlops.runs-compare/1", lambda: pages.page(data, markdown=markdown))


def _side_by_side(runs: list[query.Run], field: str, everything: bool) -> dict[str, list[Any]]:
    """Return name → its value in each run, None where a run has none."""
    told = [_all(run, field) for run in runs]
    rows = {name: [one.get(name) for one in told] for one in told for name in one}
    return {
        name: values
        for name, values in rows.items()
        if everything or any(value != values[0] for value in values)
    }


def _all(run: query.Run, field: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in run.records:
        found |= record[field] or {}
    return found


def _set(run: query.Run) -> dict[str, Any] | None:
    marks = next((one["experiment"] for one in run.records if one["experiment"]), None)
    return dict(marks["set"]) if marks else None


def _why(git: Git, old: query.Run, new: query.Run) -> list[dict[str, Any]]:
    """Return for each step of both runs what differs, by part."""
    before = {str(record["step"]): record for record in old.records}
    after = {str(record["step"]): record for record in new.records}
    found = []
    for step in [name for name in before if name in after]:
        differences = why(git, before[step], after[step])
        same = [part for part in PARTS if part not in {one.part for one in differences}]
        same_outputs = before[step]["outputs"] == after[step]["outputs"]
        found.append(
            {
                "step": step,
                "outputs": "same" if same_outputs else "different",
                "differences": [one.as_json() for one in differences],
                "same": same,
            }
        )
    return found
