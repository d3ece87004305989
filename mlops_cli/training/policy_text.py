"""What the texts of a policy ask, as plain values; whether that can be asked is not looked at.

So a policy of long ago is read as it was then, whatever pipeline.yaml says today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import ConfigError
from mlops_cli.ledger.record import plain as plain_json
from mlops_cli.pipeline.words.document import parse, plain
from mlops_cli.store.digest import Digest
from mlops_cli.training import allowance

Aliases = Mapping[str, Mapping[str, Any]]  # name → {gates, approvals}
GENERAL = "pipeline.yaml"


def files(model: str) -> tuple[str, str]:
    """Return where the policy of `model` may stand: in a file of its own, or with all else."""
    return allowance.path(model), GENERAL


def inline(data: bytes, model: str) -> Aliases:
    """Return the aliases of `model` in the text of a pipeline.yaml; {} where it has none."""
    return _aliases(data, GENERAL, "models", model)


def together(own: bytes | None, general: bytes | None, model: str) -> Aliases:
    """Return the aliases in both texts; those of models/<model>.yaml count before the others."""
    found = dict(inline(general, model)) if general is not None else {}
    return found if own is None else {**found, **_aliases(own, allowance.path(model))}


def of(aliases: Aliases, alias: str, *, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return {gates, approvals} of `alias`, with those of the aliases that it builds on.

    Raises ConfigError ("alias-cycle").
    """
    above = (*above, alias)
    own = dict(aliases[alias])
    gates = [gate for gate in own["gates"] if isinstance(gate, str) and gate in aliases]
    if circle := next((gate for gate in gates if gate in above), None):
        raise ConfigError(
            f"the gates of {circle} lead back to themselves: {' → '.join([*above, circle])}",
            code="alias-cycle",
            hint="take one of them out",
        )
    below = {gate: of(aliases, gate, above=above) for gate in gates}
    return own | ({"aliases": below} if below else {})


def digest(asked: Mapping[str, Any]) -> Digest:
    """Return the identity of what an alias asks: the SHA-256 of its canonical JSON."""
    return Digest.of(canonical_json(plain_json(asked)))


def _aliases(data: bytes, name: str, *keys: str) -> Aliases:
    try:
        said = plain(parse(data, name=name))
        for key in keys:
            said = said[key]
        return {
            str(alias): {
                "gates": _listed((each or {}).get("gates")),
                "approvals": int((each or {}).get("approvals") or 0),
            }
            for alias, each in (said["aliases"] or {}).items()
        }
    except (ConfigError, KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]
