"""`mlops reproduce`: run again what was recorded, from its commit alone, and compare the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import reproduce as pages
from mlops_cli.experiments.judge import Judged
from mlops_cli.experiments.recorded import Recorded, recorded
from mlops_cli.experiments.reproduce import Reproduction, reproduce
from mlops_cli.ledger.index import open_index
from mlops_cli.pipeline.running import execute
from mlops_cli.project import Project
from mlops_cli.store.digest import Digest


def command(
    what: Annotated[
        str, typer.Argument(help="A run, 'latest', a version as MODEL@v3, a tag, any commit.")
    ] = "HEAD",
    steps: Annotated[
        list[str] | None, typer.Option("--step", "-s", help="Only this step and those before it.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only identical will do: a tolerance does not count.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Steps at once; 0: one a core.")
    ] = 0,
) -> int:
    """Run the steps again and compare what comes out with what was recorded.

    It happens in a scratch tree: code, params and pipeline come from the commit, data from the
    cache or the remote, and nothing that was made before is used. What differs is named: where
    first, and whether params, code, data, environment or hardware are others. Exit code 1 when
    the outcome differs. The work tree, the run cache and the ledger stay as they are.
    """
    ctx = context.current()
    result = again(ctx, ctx.project(), what, only=steps or (), jobs=jobs)
    enough = ("identical",) if verify else ("identical", "within tolerance")
    code = 0 if result.verdict in enough else 1
    data = as_json(result)
    return ctx.show(data, "mlops.reproduce/1", lambda: pages.page(data), code=code)


def again(
    ctx: context.Context,
    project: Project,
    what: str,
    *,
    only: Sequence[str] = (),
    jobs: int = 0,
) -> Reproduction:
    """Run again what `what` stands for, and return how it compares."""
    wanted = _meant(project, what)
    if wanted.patch and not project.cache.has(Digest(wanted.patch)):
        wanted = replace(wanted, patch=None)  # it stays where the run was
    if wanted.dirty and not wanted.patch:
        shown = ", ".join(wanted.dirty[:3])
        ctx.warn(f"The run saw changes that nobody committed: {shown}; they are not here.")
    return reproduce(
        project,
        wanted,
        ctx.environment,
        only=only,
        now=ctx.now,
        jobs=jobs or int(ctx.settings.get("run.jobs")) or execute.default_jobs(),
        progress=ctx.progress,
    )


def _meant(project: Project, what: str) -> Recorded:
    """Return what `what` stands for: a version by its model, or what the ledger or git know."""
    from mlops_cli.registry.registry import Registry

    if "@" in what and "{" not in what:  # HEAD@{1} is git's
        what = Registry(project.git).resolve(what).tag
    with open_index(project.git) as index:
        return recorded(project.git, index, what)


def as_json(result: Reproduction) -> dict[str, Any]:
    """Return the answer as plain values."""
    first = result.first
    return {
        "of": result.of.of,
        "commit": result.of.commit,
        "run": result.of.run,
        "verdict": result.verdict,
        "first": first.step if first else None,
        "because": [one.as_json() for one in first.because] if first else [],
        "steps": [_step(one) for one in result.steps],
        "frozen": list(result.restored),
        "seconds": round(result.seconds, 3),
    }


def _step(judged: Judged) -> dict[str, Any]:
    return {
        "step": judged.step,
        "verdict": judged.verdict,
        "outputs": [
            {"path": path, "recorded": old, "made": new}
            for path, (old, new) in judged.outputs.items()
        ],
        "metrics": {
            name: {"recorded": old, "made": new} for name, (old, new) in judged.metrics.items()
        },
        "because": [one.as_json() for one in judged.because],
        "error": judged.error,
    }
