"""`mlops models alias | rollback | retire`: an alias moves without asking gates, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text
from mlops_cli.errors import ConfigError, StateRefused

if TYPE_CHECKING:
    from mlops_cli.registry.alias import AliasEvent
    from mlops_cli.registry.move import Wish

Name = Annotated[
    str,
    typer.Argument(
        metavar="MODEL@ALIAS", help="An alias: delay@production.", autocompletion=known.aliases
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell; move nothing.")]
To = Annotated[str | None, typer.Option("--to", metavar="vN", help="To this one, not the last.")]


def alias(
    version: Annotated[
        str,
        typer.Argument(
            help="A version: delay@v3, delay@sha256:1a2b.", autocompletion=known.versions
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="Any name: candidate.")],
    reason: Reason = "set by hand",
    dry_run: DryRun = False,
) -> int:
    """Let ALIAS mean a version: any name that no policy speaks of; mlops promote moves those."""
    from mlops_cli.registry.move import Wish
    from mlops_cli.registry.registry import shared
    from mlops_cli.registry.version import check_name

    ctx = context.current()
    project = ctx.project()
    chosen = shared(project.git, project.settings).resolve(version)
    check_name(name, what="alias")
    if _judged(ctx, chosen.model, name):
        raise StateRefused(
            f"{chosen.model}@{name} has gates, which mlops promote asks",
            code="alias-has-gates",
            hint=f"mlops promote {chosen.name} {name}",
        )
    wish = Wish(chosen.model, name, chosen.number, "", reason, ctx.now(), "set")
    return _move(ctx, wish, None, dry_run=dry_run)


def rollback(name: Name, reason: Reason, to: To = None, dry_run: DryRun = False) -> int:
    """Let an alias mean again what it meant before: one further event, which says why.

    No gate is asked: they were open when the alias meant that version. What is deployed follows
    with mlops deploy apply; mlops deploy rollback is quicker and keeps the alias.
    """
    from mlops_cli.registry import changes
    from mlops_cli.registry.move import Wish
    from mlops_cli.registry.registry import shared

    ctx = context.current()
    project = ctx.project()
    model, which = changes.split(name)
    registry = shared(project.git, project.settings)
    event = changes.present(registry, model, which)
    number = registry.resolve(f"{model}@{to}").number if to else None
    again = changes.before(registry, event, number)
    wish = Wish(model, which, again.version, "", reason, ctx.now(), "rollback", again=again)
    return _move(ctx, wish, event, dry_run=dry_run)


def retire(name: Name, reason: Reason, dry_run: DryRun = False) -> int:
    """Let an alias mean nothing from here on; its history stays, and it can be moved again."""
    from mlops_cli.registry import changes
    from mlops_cli.registry.move import Wish
    from mlops_cli.registry.registry import shared

    ctx = context.current()
    project = ctx.project()
    model, which = changes.split(name)
    event = changes.present(shared(project.git, project.settings), model, which)
    wish = Wish(model, which, None, "", reason, ctx.now(), "retire")
    return _move(ctx, wish, event, dry_run=dry_run)


def _move(ctx: context.Context, wish: Wish, seen: AliasEvent | None, *, dry_run: bool) -> int:
    from dataclasses import replace

    from mlops_cli.registry import records
    from mlops_cli.registry.move import move
    from mlops_cli.training.action import work

    parts = work(ctx.project())
    former = seen or parts.registry.alias(wish.model, wish.alias)
    event = None
    if not dry_run:
        wish = replace(wish, actor=str(parts.git.identity()))
        expected = former.number if former else 0
        event = move(parts.registry, wish, policy={}, evidence={}, expected=expected)
        records.settle(parts.registry, parts.ledger, wish.model)
    data = {
        "model": wish.model,
        "alias": wish.alias,
        "action": wish.action,
        "version": wish.version,
        "former": former.version if former else None,
        "moved": event is not None and event != former,
        "event": event.number if event else None,
        "tag": event.tag if event else None,
        "reason": wish.reason,
        "dry_run": dry_run,
    }
    verb = "alias" if wish.action == "set" else wish.action
    return ctx.show(data, f"mlops.models-{verb}/1", lambda: _page(data))


def _judged(ctx: context.Context, model: str, alias: str) -> bool:
    """Tell whether a policy speaks of the alias, on the protected branch or here."""
    from mlops_cli.pipeline.reading.build import FILE
    from mlops_cli.pipeline.reading.load import load
    from mlops_cli.registry.protected import branch
    from mlops_cli.training.policy import policy

    project = ctx.project()
    if not (project.root / FILE).is_file():
        return False
    pipeline = load(project.root)
    if model not in pipeline.models:
        return False
    try:
        protected = branch(project.git, ctx.settings, fresh=True)
        policy(project.git, pipeline, model, alias, protected=protected)
    except ConfigError as exc:
        if exc.code == "unknown-alias":
            return False
        raise
    return True


def _page(data: dict[str, Any]) -> str:
    now = f"v{data['version']}" if data["version"] else "nothing"
    before = f"v{data['former']}" if data["former"] else "nothing"
    name = f"{data['model']}@{data['alias']}"
    if data["dry_run"]:
        return f"{name} would be {now}, which is {before} now."
    if not data["moved"]:
        return f"{name} is {now} already."
    return f"{text.style(name, 'bold')} is {now} now; it was {before}. Reason: " + text.shown(
        data["reason"]
    )
