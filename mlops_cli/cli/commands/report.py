"""`mlops report`: one page for the business, or for an audit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli import fsio
from mlops_cli.cli import context, history, told
from mlops_cli.cli.render import report as pages
from mlops_cli.errors import UsageError
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import timestamp
from mlops_cli.monitoring.account import Price, accounts
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.trail import trail

if TYPE_CHECKING:
    from mlops_cli.config import Settings
    from mlops_cli.pipeline.model.pipeline import Pipeline

AUDIENCES = ("business", "audit")


def _audiences() -> list[str]:
    return list(AUDIENCES)


def command(
    audience: Annotated[
        str,
        typer.Option(
            "--audience", "-a", help="For whom: business or audit.", autocompletion=_audiences
        ),
    ] = "business",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write one HTML page: report.html."),
    ] = None,
) -> int:
    """Tell goal, KPI and its trend, owner, production version, state, history and cost of every
    model; or, for an audit, every event of every model.

    The page asks nobody for anything: send it by mail, read it on a phone, print it. Money is told
    where a price is set: price.cpu_hour, or limits.budget.cpu_hour in pipeline.yaml.
    """
    if audience not in AUDIENCES:
        raise UsageError(
            f"there is no report for {audience!r}",
            code="bad-value",
            hint="one of: " + ", ".join(AUDIENCES),
        )
    ctx = context.current()
    project = ctx.project()
    history.remind(ctx, project.git)
    pipeline = load(project.root)
    holdings = Registry(project.git).holdings()
    models: list[dict[str, Any]] = []
    with open_index(project.git) as index:
        if audience == "business":
            models = accounts(pipeline, holdings, index, _price(project.settings, pipeline))
        else:
            allowed = told.signers(ctx, project.git)
            for name in holdings:
                events = trail(project.git, index, name, allowed=allowed)
                models.append({"name": name, "events": [each.to_plain() for each in events]})
    kpi = pipeline.project.kpi
    data = {
        "audience": audience,
        "project": pipeline.project.name,
        "goal": pipeline.project.goal or None,
        "kpi": kpi and dataclasses.asdict(kpi),
        "models": models,
        "out": out and str(out),
    }
    if out is not None:
        make = pages.business if audience == "business" else pages.audited
        fsio.write_atomic(ctx.cwd / out, make(data, made=timestamp(ctx.now())))
    human = f"The report for {audience} is in {out}" if out else pages.screen(data)
    return ctx.show(data, "mlops.report/1", human)


def _price(settings: Settings, pipeline: Pipeline) -> Price:
    """Return the price that was set; that of the budget has no currency, so it takes ours."""
    budget = pipeline.limits.budget
    said = settings.get("price.cpu_hour") or (budget.cpu_hour if budget else None) or None
    return Price(said, str(settings.get("price.currency")))
