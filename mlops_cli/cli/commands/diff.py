"""`mlops diff`: which data differs between the workspace and commits."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.project import Project
from mlops_cli.workspace import compare, track, tracked
from mlops_cli.workspace.compare import DataChange, FileChange

SHOWN = 20
LOOKS = {"added": ("+", "green"), "modified": ("~", "yellow"), "deleted": ("-", "red")}


def command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[REV] [REV] [PATH]...", help="None: HEAD.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Show every file, not the first 20 of each path.")
    ] = False,
) -> int:
    """Compare data between the workspace and a commit, or between two commits.

    Without a revision: the workspace against HEAD. `A B` and `A..B` compare two commits. Only
    folders that differ are opened, and no file is read whose stat is known.
    """
    ctx = context.current()
    project = ctx.project()
    revisions, paths = _sort(project, words or [])
    paths = [track.relative(project.root, ctx.cwd, path) for path in paths]
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
    counts = _counts(changes)
    data = {
        "from": start,
        "to": revisions[1] if len(revisions) == 2 else "workspace",
        "changes": [_plain(change) for change in changes],
        "files": {kind: counts[kind] for kind in LOOKS},
    }
    return ctx.show(data, "mlops.diff/1", lambda: _page(changes, everything=everything))


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


def _counts(changes: list[DataChange]) -> Counter[str]:
    return Counter(file.kind for change in changes for file in change.files or ())


def _plain(change: DataChange) -> dict[str, Any]:
    return {
        **_sides(change),
        "files": None if change.files is None else [_sides(file) for file in change.files],
    }


def _sides(change: DataChange | FileChange) -> dict[str, Any]:
    old, new = change.old, change.new
    return {
        "path": change.path,
        "kind": change.kind,
        "old": {"digest": old.digest, "size": old.size} if old else None,
        "new": {"digest": new.digest, "size": new.size} if new else None,
    }


def _page(changes: list[DataChange], *, everything: bool) -> str:
    if not changes:
        return "No data differs."
    lines: list[str] = []
    for change in changes:
        mark, look = LOOKS[change.kind]
        lines.append(f"{text.style(mark, look, 'bold')} {text.style(change.path, 'bold')}")
        if change.files is None:
            lines.append("    the cache lacks the listing that would tell more: mlops pull")
            continue
        inner = [file for file in change.files if file.path != change.path]
        shown = inner if everything else inner[:SHOWN]
        rows = [
            (
                text.style(LOOKS[file.kind][0], LOOKS[file.kind][1]),
                file.path.removeprefix(change.path + "/"),
                _sizes(file),
            )
            for file in shown
        ]
        if rows:
            lines.append(text.table(rows, align="llr", indent="    "))
        if len(inner) > len(shown):
            lines.append(f"    … and {len(inner) - len(shown):,} more (--all shows them)")
        if not inner:
            lines.append(f"    {_sizes(change)}")
    counts = _counts(changes)
    parts = [f"{counts[kind]:,} {kind}" for kind in LOOKS if counts[kind]]
    lines += ["", f"Files: {', '.join(parts) or 'unknown'}."]
    return "\n".join(lines)


def _sizes(change: DataChange | FileChange) -> str:
    if change.old and change.new:
        return f"{text.size(change.old.size)} → {text.size(change.new.size)}"
    one = change.new or change.old
    return text.size(one.size) if one else ""
