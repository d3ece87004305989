"""`mlops export dvc`: what mlops tracks becomes what DVC tracks, and stays ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mlops_cli import fsio
from mlops_cli.cli import context
from mlops_cli.cli.commands.import_dvc import LINKS, LOST, as_rows, table
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.integrations.dvc import export, survey
from mlops_cli.integrations.dvc.give import Given, Giver
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.store.alias import open_aliases
from mlops_cli.workspace import ignore, tracked
from mlops_cli.workspace.words import relative

if TYPE_CHECKING:
    from mlops_cli.project import Project


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(help="What to export; all, and the steps as well.")
    ] = None,
    link: Annotated[
        str, typer.Option("--link", help="auto (reflink or copy), hardlink or copy.")
    ] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Write .dvc files, dvc.yaml, dvc.lock and objects in DVC's cache; DVC need not be installed.

    Afterwards `dvc status` finds all up to date, and `dvc checkout` brings the same bytes. What
    DVC cannot hold (executable bits in folders, links, empty folders) is named. A dvc.yaml that
    somebody else wrote stays as it is.
    """
    if link not in LINKS:
        raise UsageError(
            f"{link!r} is no way to export", code="bad-value", hint="one of: " + ", ".join(LINKS)
        )
    ctx = context.current()
    project = ctx.project()
    words = [relative(project.root, ctx.cwd, word) for word in paths or []]
    wanted = tracked.select(tracked.tracked(project.root, project.git), words)
    wanted, refused = export.apart(project.root, wanted)
    where = export.repository_for(project.root, create=bool(wanted) and not dry_run)
    outs = survey.survey(project.root, project.git, where).outs
    if dry_run:
        rows = [
            Row("data", one.path, "exported", f"{one.path}.dvc") for one in wanted if not one.step
        ]
        written = 0
    else:
        ignore.hide(project.cache.root)
        aliases = open_aliases(project.cache.root)
        giver = Giver(project.cache, where.cache, aliases, cast(Link, link))
        try:
            given, rows = export.export(
                project.root, wanted, giver=giver, outs=outs, progress=ctx.progress
            )
        finally:
            aliases.close()
        written = giver.written
        if not words and wanted:
            rows += _steps(project, given, ctx.environment)
    rows = [*refused, *rows]
    data = {"dry_run": dry_run, "written": written, "rows": as_rows(rows)}
    return ctx.show(
        data,
        "mlops.export-dvc/1",
        lambda: _page(rows, written, dry_run=dry_run),
        code=40 if any(row.state in LOST for row in rows) else 0,
    )


def _steps(project: Project, given: dict[str, Given], environ: Mapping[str, str]) -> list[Row]:
    """Write dvc.yaml and dvc.lock where they are ours to write."""
    from mlops_cli.integrations.dvc import fresh, stages_out

    if not (project.root / "pipeline.yaml").is_file():
        return []
    target = project.root / "dvc.yaml"
    if target.exists() and not target.read_text(encoding="utf-8").startswith(stages_out.HEADER):
        return [Row("file", "dvc.yaml", "refused", "somebody else wrote it; no step is exported")]
    steps, done = fresh.fresh(
        project.root, cache=project.cache, stats=project.stats, environ=environ
    )
    made = stages_out.write(project.root, steps, fresh=done, given=given)
    if made.stages:
        fsio.write_atomic(target, made.pipeline)
        fsio.write_atomic(project.root / "dvc.lock", made.lock)
    return made.rows


def _page(rows: list[Row], written: int, *, dry_run: bool) -> str:
    lines = table(rows)
    if dry_run:
        lines.append("Nothing was changed.")
    else:
        lines.append(f"{text.count(written, 'object')} written to DVC's cache.")
    return "\n".join(lines)
