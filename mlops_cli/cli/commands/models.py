"""`mlops models`: what is registered, what each alias means, and how that came about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli import history as past
from mlops_cli.cli.commands import models_alias, models_card, models_diff, models_inspect
from mlops_cli.cli.render import models as pages
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.verify import confirm
from mlops_cli.registry.version import Version

app = typer.Typer(help="List models, versions and the history of aliases.")

Name = Annotated[
    str,
    typer.Argument(
        help="A model or version: delay, delay@production, delay@v3.", autocompletion=known.models
    ),
]


@app.command("list")
def list_models() -> int:
    """List the models with their newest version and what each alias means."""
    ctx = context.current()
    git = ctx.project().git
    if (git.common_dir / "shallow").is_file():  # it came without the tags of older commits
        past.remind(ctx, git)
    standing = Registry(git).standing().values()
    for _, held in standing:
        _warn(ctx, held.damaged)
    found = [_model(count, held) for count, held in standing]
    return ctx.show({"models": found}, "mlops.models-list/1", lambda: pages.listing(found))


@app.command("show")
def show(name: Name) -> int:
    """Show one version: digests, metrics, inputs, aliases; the newest when none is named.

    Of an alias, every event is held against the one before it and what the ledger knows.
    """
    ctx = context.current()
    git = ctx.project().git
    registry = Registry(git)
    version = registry.resolve(name)
    aliases = registry.current(version.model)
    event = aliases.get(name.partition("@")[2])
    with open_index(git) as index:
        confirm(index, version, event)
    data = {
        **_version(version),
        "event": _move(event) if event else None,
        "aliases": [alias for alias, one in aliases.items() if one.version == version.number],
        "versions": registry.numbers(version.model),
    }
    return ctx.show(data, "mlops.models-show/1", lambda: pages.version(data))


@app.command("history")
def history(
    name: Annotated[
        str,
        typer.Argument(
            help="A model, or one of its aliases: delay@production.", autocompletion=known.models
        ),
    ],
) -> int:
    """Show every registration and every move of an alias, oldest first, with reasons.

    The chain of events is confirmed on the way: a deleted or replaced one is an error.
    """
    ctx = context.current()
    model, _, alias = name.partition("@")
    registry = Registry(ctx.project().git)
    held = registry.of(model)
    if not held.versions and not held.damaged:
        registry.resolve(model)
    if alias and alias not in held.aliases:
        registry.resolve(name)
    chains = [
        [_move(event) for event in registry.events(model, each)]
        for each in held.aliases
        if alias in ("", each)
    ]
    if not alias:
        chains.append([_registration(version) for version in held.versions])
        _warn(ctx, held.damaged)
    told = _in_order(chains)
    data = {"model": model, "alias": alias or None, "events": told}
    bad = bool(held.damaged) and not alias
    return ctx.show(
        data, "mlops.models-history/1", lambda: pages.history(told), code=40 if bad else 0
    )


def _in_order(chains: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the events of all chains by time, and of each chain in its own order, whatever the
    clocks of the machines said."""
    placed: list[tuple[str, bool, int, dict[str, Any]]] = []
    for chain in chains:
        latest = ""
        for position, event in enumerate(chain):
            latest = max(latest, event["time"])
            placed.append((latest, event["what"] != "registered", position, event))
    return [row[3] for row in sorted(placed, key=lambda row: row[:3])]


def _warn(ctx: context.Context, damaged: Mapping[str, str]) -> None:
    for why in damaged.values():
        ctx.warn(f"left out: {why}")


app.command("card")(models_card.command)
app.command("inspect")(models_inspect.command)
app.command("diff")(models_diff.command)
app.command("alias")(models_alias.alias)
app.command("rollback")(models_alias.rollback)
app.command("retire")(models_alias.retire)


def _model(count: int, held: Holdings) -> dict[str, Any]:
    newest = held.versions[-1] if held.versions else None
    return {
        "name": held.model,
        "versions": count,
        "damaged": dict(held.damaged),
        "newest": _version(newest) if newest else None,
        "aliases": {
            alias: {
                "version": event.version,
                "event": event.number,
                "time": event.payload.get("time"),
                "digest": str(event.digest),
            }
            for alias, event in held.current().items()
        },
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "model": version.model,
        "version": version.number,
        "digest": version.payload.get("digest"),
        "bundle": version.payload.get("bundle"),
        "run": version.payload.get("run"),
        "metrics": version.payload.get("metrics") or {},
        "created": version.payload.get("created"),
        "tag": version.tag,
        "tag_object": version.tag_id,
        "commit": version.commit,
        "payload_digest": str(version.payload_digest),
        "payload": dict(version.payload),
    }


def _move(event: AliasEvent) -> dict[str, Any]:
    payload = event.payload
    return {
        "what": "moved" if event.version is not None else "retired",
        "action": event.action,
        "time": payload.get("time") or "",
        "alias": event.alias,
        "event": event.number,
        "version": event.version,
        "actor": payload.get("actor"),
        "reason": payload.get("reason"),
        "rules": payload.get("rules") or [],
        "previous": payload.get("previous"),
        "digest": str(event.digest),
        "tag": event.tag,
    }


def _registration(version: Version) -> dict[str, Any]:
    return {
        "what": "registered",
        "action": "register",
        "time": version.payload.get("created") or "",
        "alias": None,
        "event": None,
        "version": version.number,
        "actor": version.payload.get("actor"),
        "reason": None,
        "rules": [],
        "previous": None,
        "digest": str(version.payload_digest),
        "tag": version.tag,
    }
