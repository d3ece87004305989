"""`mlops monitor`: what is served against what was learnt, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, moments
from mlops_cli.cli.render import monitor as render
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger.record import timestamp
from mlops_cli.monitoring import monitor as monitors
from mlops_cli.monitoring.check import FAMILIES, Check, exit_code
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.reading.load import load
from mlops_cli.serving.parts import open_parts

app = typer.Typer(help="Hold what is served against its training.")

Name = Annotated[str | None, typer.Argument(help="The monitor; may be left out where one is.")]
Time = Annotated[str | None, typer.Option(help="An instant, such as 2013-03-01T00:00:00Z.")]


@app.command("check")
def check(
    name: Name = None,
    start: Time = None,
    end: Time = None,
    at: Annotated[
        str | None, typer.Option(help="Know only what was known then; now when left out.")
    ] = None,
    act: Annotated[bool, typer.Option("--act", help="Carry out a decision to retrain.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Judge and tell; record nothing.")
    ] = False,
) -> int:
    """Judge quality, drift and performance of a window, and decide whether to retrain.

    The window ends now and is as long as the monitor says, unless --start and --end say else.
    Exit codes: 0 quiet, 1 alarm, 3 warning, 4 retrain due, 5 not enough data. With --act a
    retraining that is due is done: train, register, promote what is better, switch.
    """
    ctx = context.current()
    project = ctx.project()
    pipeline = load(project.root)
    chosen = _chosen(pipeline, name)
    known = moments.parse(at, ctx.now())
    until = moments.parse(end, known)
    since = moments.parse(start, until - duration(pipeline.monitors[chosen].window.size))
    parts = open_parts(project, now=ctx.now, progress=ctx.progress)
    done = monitors.check(
        parts, pipeline, chosen, start=since, end=until, at=known, dry_run=dry_run
    )
    data = _plain(done)
    if act and not dry_run and done.decision.action == "retrain":
        from mlops_cli.monitoring.retrain import retrain

        data["retrained"] = retrain(
            parts,
            RunParts.of(project, ctx.environment),
            pipeline,
            monitors.model_of(pipeline, pipeline.monitors[chosen]),
            parents=[str(done.decided)],
            reason="; ".join(done.decision.because),
        ).to_plain()
    code = exit_code(done)
    return ctx.show(
        data,
        "mlops.monitor-check/1",
        lambda: render.check(data),
        code=0 if data["retrained"] else code,
    )


@app.command("replay")
def replay(
    name: Name = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Files laid out like the project's data."),
    ] = None,
) -> int:
    """Let data arrive as it once did: predict, label, check, and retrain where it is due.

    Files of one name arrive together, in the order of their names. Time is the data's own.
    """
    from mlops_cli.monitoring.arrival import arrivals
    from mlops_cli.monitoring.clock import ReplayClock
    from mlops_cli.monitoring.replay import replay as play

    ctx = context.current()
    if source is None:
        raise UsageError(
            "a replay needs files that arrive",
            code="missing-option",
            hint="mlops monitor replay --from DIR",
        )
    project = ctx.project()
    pipeline = load(project.root)
    chosen = _chosen(pipeline, name)
    clock = ReplayClock(ctx.now(), lambda: datetime.now(UTC))
    rows: list[dict[str, Any]] = []
    play(
        open_parts(project, now=clock, progress=ctx.progress),
        RunParts.of(project, ctx.environment),
        pipeline,
        chosen,
        arrivals(ctx.cwd / source),
        clock=clock,
        told=lambda period: rows.append(period.to_plain()),
    )
    wanted = pipeline.monitors[chosen].performance
    metric = wanted.metric if wanted else ""
    data = {"monitor": chosen, "metric": metric or None, "periods": rows}
    return ctx.show(data, "mlops.monitor-replay/1", lambda: render.periods(rows, metric))


@app.command("report")
def report(
    name: Name = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many checks.")] = 20,
) -> int:
    """List the checks of a monitor with their verdicts and decisions, newest first."""
    from mlops_cli.ledger.index import open_index

    ctx = context.current()
    project = ctx.project()
    chosen = _chosen(load(project.root), name)
    with open_index(project.git) as index:
        decisions = {record["check"]: record for record in index.newest("decision")}
        found = [r for r in index.newest("check") if r["monitor"] == chosen][:limit]
    rows = [
        {
            "check": str(record.digest),
            "window": record["window"],
            "version": record["version"],
            "rows": record["rows"],
            "labelled": record["labelled"],
            "verdict": record["verdict"],
            "metrics": record["metrics"],
            "severity": {k: part["severity"] for k, part in record["families"].items()},
            "action": decisions[record.digest]["action"] if record.digest in decisions else None,
        }
        for record in found
    ]

    def human() -> str:
        if not rows:
            return f"{chosen} was never checked.\n  → mlops monitor check {chosen}"
        body = [
            (
                row["window"]["start"][:10],
                row["window"]["end"][:10],
                f"{row['rows']:,}",
                f"v{row['version']}" if row["version"] else "-",
                *(row["severity"][family] for family in FAMILIES),
                text.style(row["verdict"], render.COLORS[row["verdict"]]),
                row["action"],
            )
            for row in rows
        ]
        heads = ("from", "to", "rows", "model", *FAMILIES, "verdict", "decision")
        return text.table(body, heads, "llrl")

    return ctx.show({"monitor": chosen, "checks": rows}, "mlops.monitor-report/1", human)


def _plain(done: Check) -> dict[str, Any]:
    return {
        "monitor": done.monitor,
        "window": {"start": timestamp(done.start), "end": timestamp(done.end)},
        "rows": done.rows,
        "labelled": done.labelled,
        "model": done.model,
        "version": done.version,
        "verdict": done.verdict,
        "families": done.families(),
        "metrics": dict(done.metrics),
        "decision": {"action": done.decision.action, "because": list(done.decision.because)},
        "check": done.record,
        "decided": done.decided,
        "retrained": None,
    }


def _chosen(pipeline: Pipeline, name: str | None) -> str:
    if name is not None:
        monitors.find(pipeline, name)
        return name
    if not pipeline.monitors:
        raise NotFound(
            "pipeline.yaml has no monitors",
            code="unknown-monitor",
            hint="write one: mlops schema pipeline",
        )
    if len(pipeline.monitors) > 1:
        raise UsageError(
            "there are several monitors; name one",
            code="missing-argument",
            hint=f"monitors: {', '.join(pipeline.monitors)}",
        )
    return next(iter(pipeline.monitors))
