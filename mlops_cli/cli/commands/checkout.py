"""`mlops checkout`: bring data in the workspace to what git says."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.store.materialize import LinkKind
from mlops_cli.workspace import checkout, track, tracked

LINKS = ("auto", "copy", "hardlink", "symlink")


def command(
    paths: Annotated[list[str] | None, typer.Argument(help="What to check out; all.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also over bytes that are stored nowhere.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
    link: Annotated[
        str | None, typer.Option("--link", help="auto, copy, hardlink or symlink.")
    ] = None,
) -> int:
    """Write the files that pointers and locks name, remove those that they do not.

    Files whose bytes are in no cache are never overwritten or removed unless --force is given.
    """
    ctx = context.current()
    project = ctx.project()
    words = [track.relative(project.root, ctx.cwd, word) for word in paths or []]
    wanted = tracked.select(tracked.tracked(project.root, project.git), words)
    kind = link_kind(link or str(project.settings.get("cache.link")))
    steps = checkout.plan_checkout(project.root, wanted, cache=project.cache, stats=project.stats)
    if not dry_run:
        checkout.carry_out(steps, link=kind, overwrite=force, progress=ctx.progress)
    data = {"dry_run": dry_run, "paths": [plain(step) for step in steps]}
    return ctx.show(data, "mlops.checkout/1", lambda: page(steps, dry_run=dry_run))


def link_kind(word: str) -> LinkKind:
    """Return the kind of link that `word` names. Raises UsageError ("bad-value")."""
    if word not in LINKS:
        raise UsageError(
            f"{word!r} is no kind of link", code="bad-value", hint="one of: " + ", ".join(LINKS)
        )
    return cast(LinkKind, word)


def plain(step: checkout.Step) -> dict[str, Any]:
    """Return a step as it stands in the JSON document."""
    plan = step.plan
    return {
        "path": step.tracked.path,
        "digest": step.tracked.digest,
        "created": len(plan.create),
        "replaced": len(plan.replace),
        "deleted": len(plan.delete),
        "bytes": plan.size,
        "unsaved": step.unsaved,
    }


def page(steps: list[checkout.Step], *, dry_run: bool) -> str:
    """Return what a person reads: one line for each path that changed."""
    changed = [step for step in steps if step.changes]
    if not changed:
        return "Nothing is tracked yet." if not steps else "The workspace is as git says."
    rows = []
    for step in changed:
        plan = step.plan
        words = [
            f"{count} {word}"
            for count, word in (
                (len(plan.create), "created"),
                (len(plan.replace), "replaced"),
                (len(plan.delete), "deleted"),
            )
            if count
        ]
        unsaved = text.style(f"{len(step.unsaved)} unsaved", "red") if step.unsaved else ""
        rows.append((step.tracked.path, ", ".join(words), text.size(plan.size), unsaved))
    lines = [text.table(rows, align="llrl")]
    if dry_run:
        lines += ["", "Nothing was changed."]
    return "\n".join(lines)
