"""`mlops demo`: the whole loop once, on the flights that left New York in 2013."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, founding, scaffold, tracing
from mlops_cli.cli.render import monitor as render
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused

if TYPE_CHECKING:
    from mlops_cli.monitoring.arrival import Arrival
    from mlops_cli.monitoring.replay import Period
    from mlops_cli.project import Project
    from mlops_cli.serving.parts import Parts

TEMPLATE, MODEL, ENVIRONMENT = "flights", "delay", "prod"
# January is there at the start; the other months arrive one after the other
LATER = ("data/*/2013-0[2-9].parquet", "data/*/2013-1[0-2].parquet")
BEGIN = datetime(2013, 2, 1, 12, tzinfo=UTC)  # the last flights of January have landed


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where the project is made.")
    ] = Path("mlops-demo"),
    months: Annotated[
        int, typer.Option(min=1, max=11, help="How many months after January to play.")
    ] = 11,
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave the server running at the end.")
    ] = False,
) -> int:
    """Play the whole loop on a year of real flights, in a new git repository.

    Train on January, register, promote, deploy; then month by month: predict over HTTP, log,
    join the labels that came in, check against the training, retrain where the policy says so,
    promote only what is better. The project stays, for you to go on with.
    """
    ctx = context.current()
    root = (ctx.cwd / directory).resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise StateRefused(
            f"{root} is there already and not empty",
            code="folder-in-use",
            hint="mlops demo ANOTHER-FOLDER",
        )
    begun = time.monotonic()
    project = _begin(ctx, root)
    played = _play(ctx, project, months, serve=serve)
    traced = tracing.trace(project, f"{MODEL}@production", root)
    seconds = round(time.monotonic() - begun, 1)
    data = played | {"lineage": traced.data, "root": str(root), "seconds": seconds}
    return ctx.show(data, "mlops.demo/1", lambda: _screen(data, traced.tree()))


def _begin(ctx: context.Context, root: Path) -> Project:
    """Make the project with the data of January."""
    from mlops_cli.vcs.repo import Git

    ctx.progress.say(f"A new project in {root}, with the flights of January 2013.")
    root.mkdir(parents=True, exist_ok=True)
    git = Git.init(root)
    try:
        git.identity()
    except StateRefused:  # a fresh machine: the demo's commits need a name all the same
        git.run("config", "--local", "user.name", "mlops demo")
        git.run("config", "--local", "user.email", "demo@localhost")
        ctx.warn("git knows no name for you; the demo's commits are by 'mlops demo'")
    chosen = scaffold.template(TEMPLATE)
    plan = scaffold.plan(chosen, root, scaffold.Answers("flight-delays"), leave=LATER)
    founding.found(ctx, plan, name="flight-delays")
    return ctx.project(root)


def _play(ctx: context.Context, project: Project, months: int, *, serve: bool) -> dict[str, Any]:
    """Train, deploy, play the months; return what happened."""
    from mlops_cli.monitoring.clock import ReplayClock
    from mlops_cli.monitoring.replay import replay
    from mlops_cli.monitoring.retrain import retrain
    from mlops_cli.pipeline.planning.parts import RunParts
    from mlops_cli.pipeline.reading.load import load
    from mlops_cli.pipeline.running import execute
    from mlops_cli.serving.parts import open_parts

    say = ctx.progress.say
    pipeline = load(project.root)
    clock = ReplayClock(BEGIN, lambda: datetime.now(UTC))
    parts = open_parts(project, now=clock, progress=ctx.progress)
    run = RunParts.of(project, ctx.environment)
    watched = pipeline.monitors[ENVIRONMENT].performance
    metric = watched.metric if watched else ""
    say("Train on January, hold it against its gates, register it as v1, promote it.")
    first = retrain(parts, run, pipeline, MODEL, reason="the first model")
    for sentence in render.outcome(first.to_plain()):
        say(sentence)
    periods: list[Period] = []

    def told(period: Period) -> None:
        periods.append(period)
        say(_line(period))

    with _served(parts, keep=serve) as url:
        say(f"{ENVIRONMENT} answers at {url}. Now the year goes by.")
        replay(parts, run, pipeline, ENVIRONMENT, _coming(months), clock=clock, told=told)
        # the last months may have been quiet: what arrived since is in no model yet
        last = execute.run(
            run, pipeline, now=clock, jobs=execute.default_jobs(), progress=ctx.progress
        )
    return {
        "periods": [period.to_plain() for period in periods],
        "metric": metric,
        "first": first.to_plain(),
        "last_run": last.run_id if last.did else None,
        "url": url if serve else None,
    }


def _coming(months: int) -> list[Arrival]:
    """Return the months after January as they arrive: flights and weather together."""
    from mlops_cli.monitoring.arrival import Arrival

    folder = scaffold.template(TEMPLATE).folder
    names = [f"2013-{month:02d}" for month in range(2, 2 + months)]
    kinds = ("data/flights", "data/weather")
    return [
        Arrival(
            name, {f"{kind}/{name}.parquet": folder / kind / f"{name}.parquet" for kind in kinds}
        )
        for name in names
    ]


@contextmanager
def _served(parts: Parts, *, keep: bool) -> Iterator[str | None]:
    from mlops_cli.serving import deploy

    try:
        yield deploy.look(parts, ENVIRONMENT).url
    finally:
        if not keep:
            deploy.stop(parts, ENVIRONMENT)


def _line(period: Period) -> str:
    row = period.to_plain()
    served, frozen = render.figure(row["served"]), render.figure(row["frozen"])
    follows = render.then(row)
    return (
        f"{period.name}: {period.rows:,} flights, served by v{period.version} {served}, "
        f"frozen {frozen}, {row['verdict']}" + (f"; retrained, {follows}" if follows else "") + "."
    )


def _screen(data: dict[str, Any], shown: str) -> str:
    where = os.path.relpath(data["root"])
    lines = [
        render.periods(data["periods"], data["metric"]),
        "",
        text.style(f"mlops lineage {MODEL}@production", "bold"),
        shown,
        "",
        f"All of it took {data['seconds']:.0f} s and is in {where}. Go on there:",
        f"  cd {shlex.quote(where)}",
        "  mlops status",
        "  git log --oneline",
        f"  mlops models history {MODEL}",
        "  mlops monitor report",
    ]
    lines.append(
        f"  curl {data['url']}/version" if data["url"] else f"  mlops deploy apply {ENVIRONMENT}"
    )
    return "\n".join(lines)
