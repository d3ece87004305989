"""`mlops models`: what is registered, what each alias means, and how that came about."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import models as pages
from mlops_cli.errors import NotFound
from mlops_cli.registry.alias import AliasEvent, check_chain
from mlops_cli.registry.card import card
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version

app = typer.Typer(help="List models, versions and the history of aliases.")

Name = Annotated[str, typer.Argument(help="A model or version: delay, delay@production, delay@v3.")]


@app.command("list")
def list_models() -> int:
    """List the models with their newest version and what each alias means."""
    ctx = context.current()
    found = [_model(held) for held in Registry(ctx.project().git).holdings().values()]
    return ctx.show({"models": found}, "mlops.models-list/1", lambda: pages.listing(found))


@app.command("show")
def show(name: Name) -> int:
    """Show one version: digests, metrics, inputs, aliases; the newest when none is named."""
    ctx = context.current()
    registry = Registry(ctx.project().git)
    version = registry.resolve(name)
    held = registry.of(version.model)
    data = {
        **_version(version),
        "aliases": _aliases_of(held, version.number),
        "versions": [other.number for other in held.versions],
    }
    return ctx.show(data, "mlops.models-show/1", lambda: pages.version(data))


@app.command("history")
def history(
    name: Annotated[str, typer.Argument(help="A model, or one of its aliases: delay@production.")],
) -> int:
    """Show every registration and every move of an alias, oldest first, with reasons.

    The chain of events is confirmed on the way: a deleted or replaced one is an error.
    """
    ctx = context.current()
    model, _, alias = name.partition("@")
    registry = Registry(ctx.project().git)
    held = registry.of(model)
    if not held.versions:
        registry.resolve(model)
    if alias and alias not in held.aliases:
        known = ", ".join(held.aliases) or "none yet"
        raise NotFound(
            f"the alias {name} has no history", code="unknown-alias", hint=f"aliases: {known}"
        )
    moves: list[AliasEvent] = []
    for each, events in held.aliases.items():
        if alias in ("", each):
            check_chain(events)
            moves += events
    told = [_move(event) for event in moves]
    if not alias:
        told += [_registration(version) for version in held.versions]
    told.sort(key=lambda event: (event["time"], event["what"] != "registered"))
    data = {"model": model, "alias": alias or None, "events": told}
    return ctx.show(data, "mlops.models-history/1", lambda: pages.history(told))


@app.command("card")
def show_card(name: Name) -> int:
    """Print the card of a version: what people wrote, and the facts that are recorded."""
    ctx = context.current()
    git = ctx.project().git
    registry = Registry(git)
    version = registry.resolve(name)
    held = registry.of(version.model)
    path = str(version.payload.get("card_path") or f"models/{version.model}.md")
    words = git.show(version.commit, path)
    markdown = card(
        version,
        aliases=_aliases_of(held, version.number),
        words=words.decode("utf-8", "replace") if words else None,
    )
    data = {"model": version.model, "version": version.number, "markdown": markdown}
    return ctx.show(data, "mlops.models-card/1", markdown.rstrip())


def _model(held: Holdings) -> dict[str, Any]:
    newest = held.versions[-1] if held.versions else None
    return {
        "name": held.model,
        "versions": len(held.versions),
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


def _aliases_of(held: Holdings, number: int) -> list[str]:
    return [alias for alias, event in held.current().items() if event.version == number]


def _move(event: AliasEvent) -> dict[str, Any]:
    payload = event.payload
    return {
        "what": "moved" if event.version is not None else "retired",
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
