"""`mlops sweep`: try params side by side in scratch trees; every result is in the ledger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context, experimenting
from mlops_cli.errors import UsageError
from mlops_cli.experiments import state


def command(
    space: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUES]...", help="lr=0.1,0.01  n=8..64  lr=log:1e-4..1e-1"),
    ] = None,
    targets: Annotated[
        list[str] | None, typer.Option("--step", "-s", help="Only this step and those before it.")
    ] = None,
    random: Annotated[
        int, typer.Option("--random", min=0, help="Draw so many trials instead of all.")
    ] = 0,
    optuna: Annotated[
        int, typer.Option("--optuna", min=0, help="Let Optuna choose so many, one by one.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same.")] = 0,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="What is searched for: roc_auc.")
    ] = None,
    minimize: Annotated[
        bool, typer.Option("--min", help="The smaller the metric, the better.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End trials that do worse than the median of the others.")
    ] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Trials at once.")] = 1,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with this sweep, or 'latest'.")
    ] = None,
) -> int:
    """Run the pipeline with each combination of params, each in a scratch tree of its own.

    They begin with the work tree as it stands, which is never touched; what did not change comes
    from the run cache. A sweep that was interrupted or killed goes on with --resume: what ended is
    not run again. Every result is a record of the ledger: mlops runs compare, mlops runs apply.
    """
    ctx = context.current()
    project = ctx.project()
    if resume is not None:
        if space:
            raise _clash("--resume goes on with what the sweep was begun with")
        return experimenting.sweep(project, state.resume(project.root, resume), jobs=jobs)
    if not space:
        raise _clash("a sweep needs something to vary")
    if random and optuna:
        raise _clash("--random and --optuna exclude each other")
    if metric is None and (optuna or stop):
        raise _clash("--optuna and --stop need to know the metric")
    more: dict[str, Any] = {"seed": seed, "metric": metric, "goal": "min" if minimize else "max"}
    if random or optuna:
        more |= {"by": "random" if random else "optuna", "trials": random or optuna}
    plan = experimenting.plan(project, space, targets or ())
    held = experimenting.begin(project, plan, stop="median" if stop else "never", **more)
    ctx.progress.say(f"sweep {held.plan.id}")
    return experimenting.sweep(project, held, jobs=jobs)


def _clash(why: str) -> UsageError:
    return UsageError(
        why, code="bad-options", hint="mlops sweep train.lr=0.1,0.01 --metric roc_auc --optuna 20"
    )
