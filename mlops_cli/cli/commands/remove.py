"""`mlops remove`: data is no longer tracked, or a tracked folder loses a part."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context, dependents
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused
from mlops_cli.project import Project
from mlops_cli.workspace import remove, tracked
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.remove import Removal
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[list[str], typer.Argument(help="What is tracked, parts of it, or patterns.")],
    data: Annotated[
        bool | None,
        typer.Option(
            "--data/--keep-data",
            help="Whether the files leave the workspace too; only those of parts do.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also what steps read, and bytes that are stored nowhere."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Stop tracking data, or take files and folders out of a tracked folder.

    The rest of the folder need not be checked out; patterns are held against its listing. The
    bytes stay in the cache, and the commits that name them can be checked out. What git knows is
    staged, as `git rm` does.
    """
    ctx = context.current()
    project = ctx.project()
    known = tracked.tracked(project.root, project.git)
    shelf = listings(project.cache, project.settings, project.root, now=ctx.now())
    words = [relative(project.root, ctx.cwd, path) for path in paths]
    removals = remove.plan_remove(
        project.root,
        remove.expand(known, words, shelf),
        tracked=known,
        cache=project.cache,
        stats=project.stats,
        shelf=shelf,
        data=data,
    )
    if not force:
        _refuse_read(project, removals)
    if not dry_run:
        remove.carry_out(
            project.root,
            removals,
            git=project.git,
            cache=project.cache,
            shelf=shelf,
            overwrite=force,
            progress=ctx.progress,
        )
    document = {
        "dry_run": dry_run,
        "removed": [
            {
                "path": path,
                "tracked": removal.one.path,
                "files": sum(len(plan.delete) for name, plan in removal.data if name == path),
            }
            for removal in removals
            for path in removal.paths
        ],
        "unsaved": [path for removal in removals for path in removal.unsaved],
    }
    return ctx.show(document, "mlops.remove/1", lambda: _page(removals, dry_run=dry_run))


def _refuse_read(project: Project, removals: list[Removal]) -> None:
    """Raise StateRefused ("still-read") when a step of pipeline.yaml reads what goes."""
    found: dict[str, list[str]] = {}
    for removal in removals:
        found |= dependents.readers(project, removal.paths, part=bool(removal.parts))
    for path, steps in found.items():
        raise StateRefused(
            f"{path} is read by {' and '.join(steps)}",
            code="still-read",
            hint="change pipeline.yaml first, or pass --force",
            details={"readers": found},
        )


def _page(removals: list[Removal], *, dry_run: bool) -> str:
    lines = []
    for removal in removals:
        gone = sum(len(plan.delete) for _, plan in removal.data)
        files = f", {text.count(gone, 'file')} of the workspace" if gone else ""
        if removal.parts:
            count = text.count(len(removal.parts), "path")
            shown = removal.parts[0] if len(removal.parts) == 1 else count
            lines.append(f"{shown} out of {removal.one.path}{files}")
        else:
            kept = "" if removal.data else "; the files stay"
            lines.append(f"{removal.one.path} is no longer tracked{kept}{files}")
    if dry_run:
        lines += ["", "Nothing was changed."]
    return "\n".join(lines)
