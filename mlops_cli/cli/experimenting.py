"""What `run -S` and `sweep` share: experiments made from words, run elsewhere, shown as a table."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import context
from mlops_cli.cli.render import experiments as pages
from mlops_cli.errors import StepFailed, UsageError
from mlops_cli.experiments import axes, search, snapshot, state, trial
from mlops_cli.experiments.state import Plan, State, Trial
from mlops_cli.experiments.sweep import Sweep
from mlops_cli.pipeline.graph.opening import open_graph

if TYPE_CHECKING:
    from mlops_cli.project import Project


def plan(project: Project, words: Sequence[str], targets: Sequence[str]) -> Plan:
    """Return a sweep over what `words` ("KEY=VALUES") say, from the work tree as it stands.

    Raises UsageError ("unknown-param", "bad-value"), NotFound ("unknown-step").
    """
    ctx = context.current()
    graph = open_graph(project.root, cache=project.cache.root / "parsed", now=ctx.now())
    named = tuple(name for word in targets for name in graph.named(word))
    if acting := [name for name in named if graph.steps[name].action]:
        raise UsageError(
            f"{acting[0]} acts on the world, which an experiment must not",
            code="bad-value",
            hint="name a step that makes something",
        )
    read = {ref.partition(":")[0] for step in graph.steps.values() for ref in step.params}
    found = axes.parse(words, project.root, read)
    name = f"{ctx.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    return Plan(name, snapshot.snapshot(project.git), tuple(found), targets=named)


def one(project: Project, made: Plan, *, jobs: int) -> int:
    """Run the one experiment that `made` stands for; its steps tell what they do.

    Raises what the step that failed raised.
    """
    ctx = context.current()
    values = search.values(made, 0, ())
    marks = {"id": made.id, "base": made.base, "set": values}
    result = trial.carry_out(
        project,
        trial.variant(project, made.base, made.axes, values),
        ctx.environment,
        experiment=marks,
        targets=made.targets,
        now=ctx.now,
        jobs=jobs,
        progress=ctx.progress,
    )
    if result.error is not None:
        raise result.error
    done = Trial(0, values, "done", result.run, metrics=result.metrics)
    return _show(made, [done], swept=False)


def sweep(project: Project, held: State, *, jobs: int) -> int:
    """Run what is left of a sweep, and show all of it. Raises StepFailed where nothing was done."""
    ctx = context.current()
    Sweep(project.root, held, ctx.environment, jobs, ctx.progress).carry_out()
    over = held.over
    failed = [each for each in over if each.status == "failed"]
    if failed and not any(each.status == "done" for each in over):
        raise StepFailed(
            f"all trials failed; the first: {failed[0].error}",
            code="sweep-failed",
            hint=f"the logs are in {state.FOLDER}/{held.plan.id}",
            details={"sweep": held.plan.id},
        )
    for each in failed:
        ctx.warn(f"Trial {each.number} failed: {each.error}")
    return _show(held.plan, over, swept=True)


def _show(made: Plan, trials: Sequence[Trial], *, swept: bool) -> int:
    best = search.best(made, trials)
    data = {
        "sweep": made.id if swept else None,
        "base": made.base,
        "by": made.by,
        "metric": made.metric,
        "goal": made.goal,
        "best": best.number if best else None,
        "trials": [_plain(each) for each in trials],
    }
    return context.current().show(data, "mlops.sweep/1", lambda: pages.page(data))


def _plain(each: Trial) -> Mapping[str, Any]:
    return {
        "trial": each.number,
        "set": dict(each.values),
        "status": each.status,
        "run": each.run,
        "value": each.value,
        "metrics": dict(each.metrics),
        "error": each.error,
    }


def begin(project: Project, made: Plan, **more: Any) -> State:
    """Write down a new sweep, `more` of whose plan is said on the command line."""
    chosen = replace(made, **more)
    search.total(chosen)  # says what cannot be searched before anything is written
    return state.begin(project.root, chosen)


def of_run(words: Sequence[str], targets: Sequence[str], *, jobs: int) -> int:
    """Do what `mlops run -S` means: one experiment, or a sweep where a param has several values.

    `jobs` is how many steps of the one, or how many trials of the sweep, run at once.
    """
    project = context.current().project()
    made = plan(project, words, targets)
    if search.total(made) == 1:
        return one(project, made, jobs=jobs)
    return sweep(project, begin(project, made), jobs=jobs)
