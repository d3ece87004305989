"""Moves of an alias that no gate judges: set by hand, back to a former version, retired."""

from __future__ import annotations

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.registry import missing
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.create import refresh
from mlops_cli.registry.registry import Registry


def present(registry: Registry, model: str, alias: str) -> AliasEvent:
    """Return the last event of an alias that has one, as of now on the remote.

    Raises NotFound ("unknown-model", "unknown-alias"), IntegrityError.
    """
    refresh(registry, f"{model}/")
    event = registry.alias(model, alias)
    if event is None:
        if not registry.numbers(model):
            raise missing.model(registry.git, model, registry.models())
        known = list(registry.of(model).aliases)
        raise missing.alias(registry.git, model, alias, known, retired=False)
    return event


def before(registry: Registry, event: AliasEvent, to: int | None) -> AliasEvent:
    """Return the event that a rollback repeats: the last that gave the alias version `to`, or
    another version than the present one.

    Only to one that the alias meant: its gates were open then. Raises StateRefused
    ("never-promoted", "nothing-before").
    """
    events = registry.events(event.model, event.alias)[:-1]
    former = {
        each.version: each
        for each in events
        if each.version is not None and each.version != event.version
    }
    if to is not None:
        if to not in former:
            told = ", ".join(f"v{number}" for number in former) or "none"
            raise StateRefused(
                f"{event.name} never meant v{to}, so no gate of it was open to v{to}",
                code="never-promoted",
                hint=f"it meant before: {told}; mlops promote {event.model}@v{to} {event.alias}",
            )
        return former[to]
    if not former:
        raise StateRefused(
            f"{event.name} meant nothing else before",
            code="nothing-before",
            hint=f"mlops models retire {event.name} --reason WHY",
        )
    return max(former.values(), key=lambda each: each.number)


def split(name: str) -> tuple[str, str]:
    """Return model and alias of "delay@production". Raises NotFound ("unknown-alias")."""
    model, _, alias = name.partition("@")
    if not alias:
        raise NotFound(
            f"{name!r} names no alias", code="unknown-alias", hint=f"write {name}@production"
        )
    return model, alias
