"""`mlops diff`: which data differs between the workspace and commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, protecting, table_changes
from mlops_cli.cli.render import diff as pages
from mlops_cli.cli.render import diff_markdown
from mlops_cli.cli.table_changes import TableChange
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.pipeline.traces import measured
from mlops_cli.project import Project
from mlops_cli.workspace import compare, renames, tracked
from mlops_cli.workspace.compare import DataChange, FileChange, Side
from mlops_cli.workspace.words import relative


def command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[REV] [REV] [PATH]...", help="None: HEAD.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Show every file, not the first 20 of each path.")
    ] = False,
    stat: Annotated[
        bool, typer.Option("--stat", help="Only counts and bytes of each path.")
    ] = False,
    tables: Annotated[
        bool | None,
        typer.Option(
            "--tables/--no-tables",
            help="Look into tables that changed; by default, into 64 MiB of them.",
        ),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Count the rows of tables that came and went.")
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Columns by which rows are known: tells which changed."),
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="As Markdown, for a pull request.")] = False,
) -> int:
    """Compare data and metrics between the workspace and a commit, or between two commits.

    Without a revision: the workspace against HEAD. `A B` and `A..B` compare two commits. Only
    folders that differ are opened, and no file is read whose stat is known. Of tables (Parquet,
    CSV, TSV, lines of JSON), columns, rows and statistics are compared.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    revisions, paths = _sort(project, words or [])
    paths = [relative(project.root, ctx.cwd, path) for path in paths]
    start = revisions[0] if revisions else _head(project)
    old = _chosen(tracked.tracked_at(project.git, start) if start else [], paths)
    if len(revisions) == 2:
        new = _chosen(tracked.tracked_at(project.git, revisions[1]), paths)
        changes = compare.between(old, new, cache=project.cache)
    else:
        now = _chosen(tracked.tracked(project.root, project.git), paths)
        changes = compare.against_workspace(
            project.root, old, now, cache=project.cache, stats=project.stats, progress=ctx.progress
        )
    changes = renames.narrowed(renames.pair(changes), paths)
    found = {}
    if not stat and tables is not False:
        found = table_changes.look(
            ctx,
            project,
            changes,
            here=len(revisions) != 2,
            every=bool(tables or rows or key),
            rows=rows,
            key=key or [],
        )
    end = revisions[1] if len(revisions) == 2 else None
    metrics = [] if paths else measured.differences(project.git, project.root, start, end)
    data = {
        "from": start,
        "to": end or "workspace",
        "changes": [_plain(change, found) for change in changes],
        "files": pages.counts(changes),
        "metrics": [asdict(one) for one in metrics],
    }

    def human() -> str:
        if md:
            return diff_markdown.page(changes, metrics, found)
        if stat:
            return pages.stat(changes, metrics)
        return pages.page(changes, found, metrics, everything=everything)

    return ctx.show(data, "mlops.diff/1", human)


def _sort(project: Project, words: list[str]) -> tuple[list[str], list[str]]:
    """Tell revisions from paths: the first words, as long as git knows them as commits."""
    if words and ".." in words[0] and not words[0].startswith(("..", "/")):
        left, _, right = words[0].partition("..")
        words = [left, right.lstrip(".") or "HEAD", *words[1:]]
    revisions: list[str] = []
    for word in words[:2]:
        try:
            project.git.rev_parse(word)
        except NotFound:
            exists = (project.root / word).exists()
            if not exists and not revisions and len(words) == 1 and "/" not in word:
                raise
            break
        revisions.append(word)
    if len(revisions) < len(words) and any(not word for word in words):
        raise UsageError("a revision is empty", code="bad-value", hint="mlops diff A B")
    return revisions, words[len(revisions) :]


def _head(project: Project) -> str | None:
    return "HEAD" if project.git.head().commit else None


def _chosen(found: list[tracked.Tracked], paths: list[str]) -> list[tracked.Tracked]:
    if not paths:
        return found
    return [one for one in found if any(tracked.related(one.path, path) for path in paths)]


def _plain(change: DataChange, tables: Mapping[str, TableChange]) -> dict[str, Any]:
    files = change.files
    return {
        **_sides(change, tables),
        "files": None if files is None else [_sides(file, tables) for file in files],
    }


def _side(side: Side) -> dict[str, Any]:
    return {"digest": side.digest, "size": side.size, "executable": side.executable}


def _sides(change: DataChange | FileChange, tables: Mapping[str, TableChange]) -> dict[str, Any]:
    old, new = change.old, change.new
    told = {
        "path": change.path,
        "kind": change.kind,
        "old": _side(old) if old else None,
        "new": _side(new) if new else None,
    }
    if change.former is not None:
        told["former"] = change.former
    if isinstance(change, FileChange) and change.path in tables:
        told["table"] = table_changes.plain(tables[change.path])
    return told
