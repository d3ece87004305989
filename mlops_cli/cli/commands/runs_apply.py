"""`mlops runs apply`: bring the params, locks and outputs of a run into the work tree."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render.runs import figure
from mlops_cli.cli.render.text import count, style, table
from mlops_cli.experiments import apply
from mlops_cli.ledger import query
from mlops_cli.ledger.index import open_index


def command(
    name: Annotated[str, typer.Argument(help="A run, or the beginning of one.")],
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would change.")
    ] = False,
) -> int:
    """Bring what a run or an experiment made into the work tree: params, locks, outputs.

    Nothing is committed. Files that are neither committed nor in the cache are never written over.
    """
    ctx = context.current()
    project = ctx.project()
    with open_index(project.git) as index:
        run = query.run(index, name)
    found = apply.plan(project, run)
    if not dry_run:
        apply.carry_out(project, found, now=ctx.now(), progress=ctx.progress)
    data = {
        "run": found.run,
        "dry_run": dry_run,
        "params": {ref: {"old": old, "new": new} for ref, (old, new) in found.params.items()},
        "locks": list(found.locks),
        "outputs": [one.path for one in found.outputs],
    }
    return ctx.show(data, "mlops.runs-apply/1", lambda: _page(data))


def _page(data: dict[str, Any]) -> str:
    lines = []
    if data["params"]:
        rows = [(ref, figure(p["old"]), "→", figure(p["new"])) for ref, p in data["params"].items()]
        lines += [table(rows), ""]
    made = count(len(data["outputs"]), "output")
    if data["dry_run"]:
        lines.append(f"Would bring {made} of the run {data['run']}; nothing was changed.")
    else:
        lines.append(f"Here is what the run {data['run']} made: {made}, not committed yet.")
        lines.append(style("  → git add -A && git commit", "cyan"))
    return "\n".join(lines)
