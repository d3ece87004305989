"""`mlops import dvc`: a DVC repository becomes a project of mlops, and stays one of DVC."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, cast

import typer

from mlops_cli import config
from mlops_cli.cli import context, settings_file
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.integrations.dvc import intake, parcels, repository, steps, survey, take
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.store.alias import attached
from mlops_cli.workspace import remotes, tracked
from mlops_cli.workspace.words import relative

LINKS = ("auto", "hardlink", "copy")
LOST = ("missing", "corrupt")
SHOWN = 60  # rows that a person is shown


def command(
    path: Annotated[str, typer.Argument(help="The folder that holds .dvc.")] = ".",
    attach: Annotated[
        bool, typer.Option("--attach", help="Copy nothing: read objects from DVC's cache.")
    ] = False,
    link: Annotated[
        str, typer.Option("--link", help="auto (reflink or copy), hardlink or copy.")
    ] = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Also over pointers that say other bytes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Read a DVC repository: its data, pipelines, locks and remotes; DVC need not be installed.

    Every object is hashed once. What is missing or corrupt is named and left out, and the exit
    code is 40 then; run the same command again to go on. No file of DVC is changed.
    """
    if link not in LINKS:
        raise UsageError(
            f"{link!r} is no way to import", code="bad-value", hint="one of: " + ", ".join(LINKS)
        )
    ctx = context.current()
    project = ctx.project()
    where = repository.open_repository(project.root, relative(project.root, ctx.cwd, path))
    found = survey.survey(project.root, project.git, where)
    known = tracked.tracked(project.root, project.git)
    names = [one.name for one in remotes.remotes(ctx.settings)]
    agenda = intake.agenda(project.root, found, known_remotes=names)
    plan = parcels.plan(project.root, found, tracked=known, ask=not dry_run)
    if dry_run:
        rows = [*plan.rows, *_expected(plan, attach=attach), *agenda.rows]
        rows += [Row("step", one.name, "imported", "; ".join(one.notes)) for one in agenda.steps]
        result: dict[str, Any] = {"files": plan.files}
    else:
        taken = take.take(
            project.root,
            found,
            plan,
            cache=project.cache,
            tracked=known,
            attach=attach,
            link=cast(Link, link),
            force=force,
            progress=ctx.progress,
        )
        # what has just been attached is read from here on
        cache = replace(project.cache, tiers=(*project.cache.tiers, *attached(project.cache.root)))
        parts = steps.Parts(project.root, cache, project.stats, ctx.environment)
        rows = [
            *taken.rows,
            *intake.carry_out(project.root, project.git, found, agenda, taken, parts=parts),
        ]
        _settings(ctx, agenda)
        result = {
            "files": plan.files,
            "hashed": taken.result.hashed,
            "fetched": taken.result.fetched,
            "copied": taken.result.copied,
        }
    data = {
        "dry_run": dry_run,
        "attached": attach,
        **result,
        "rows": as_rows(rows),
    }
    lost = any(row.state in LOST for row in rows)
    return ctx.show(
        data,
        "mlops.import-dvc/1",
        lambda: _page(rows, result, dry_run=dry_run),
        code=40 if lost and not dry_run else 0,
    )


def _expected(plan: parcels.Plan, *, attach: bool) -> list[Row]:
    absent = plan.absent()
    rows = []
    for parcel in plan.parcels:
        gone = absent.get(parcel.out.path, 0)
        why = f"{gone} of {len(parcel.wanted)} files are not on this disk" if gone else ""
        rows.append(Row("data", parcel.out.path, "attached" if attach else "imported", why))
    return rows


def _settings(ctx: context.Context, agenda: intake.Agenda) -> None:
    file = config.layer_file(
        "project", ctx.project().root, home=ctx.home, environment=ctx.environment
    )
    for one in agenda.remotes:
        settings_file.change(file, f"remotes.{one.name}.url", one.url)
        for key, value in one.settings.items():
            settings_file.change(file, f"remotes.{one.name}.{key}", value)
        if one.default:
            settings_file.change(file, "remote.default", one.name)


def as_rows(rows: list[Row]) -> list[dict[str, str]]:
    """Return the table as it stands in the JSON document."""
    return [
        {"what": row.what, "name": row.name, "state": row.state, "reason": row.reason}
        for row in rows
    ]


def table(rows: list[Row]) -> list[str]:
    """Return the table as lines, what a person has to look at first."""
    order = ("corrupt", "missing", "refused", "noted", "unchanged")
    at = {state: place for place, state in enumerate(order)}
    shown = sorted(rows, key=lambda row: at.get(row.state, len(order)))[:SHOWN]
    cells = [(row.what, row.name, _state(row.state), row.reason) for row in shown]
    lines = [text.table(cells, align="llll")] if cells else []
    if len(rows) > len(shown):
        lines.append(f"… and {len(rows) - len(shown)} more; --json lists all.")
    return [*lines, ""]


def _page(rows: list[Row], result: dict[str, Any], *, dry_run: bool) -> str:
    totals = ", ".join(f"{count} {state}" for state, count in sorted(intake.counts(rows).items()))
    lines = table(rows)
    if dry_run:
        lines.append(f"Nothing was changed. There would be: {totals or 'nothing'}.")
    else:
        hashed, copied = text.count(result["hashed"], "file"), text.size(result["copied"])
        lines.append(f"{totals or 'Nothing found'}.")
        lines.append(f"{hashed} hashed, {result['fetched']} fetched, {copied} copied.")
    return "\n".join(lines)


def _state(state: str) -> str:
    return text.style(state, "red") if state in LOST else state
