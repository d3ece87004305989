"""What conditions see of a record, and the part of it that the index can compare by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_cli.ledger.condition import look_up
from mlops_cli.ledger.record import Record

HEADS = ("params", "metrics", "logged")
ALONE = ("seconds", "branch")
_WHOLE = frozenset((*HEADS, *ALONE))
EXACT = 2**53  # from here on a float is not every whole number
LONGEST = 200  # letters of a text: of a longer one its beginning is compared


def facts(record: Record) -> dict[str, Any]:
    """Return the fields of `record` by name, with its own digest and where its code stood."""
    code = record["code"]
    place = code if isinstance(code, Mapping) else {}
    stood = {name: place[name] for name in ("branch", "commit") if name in place}
    return {**stood, **record.body, "record": str(record.digest)}


def comparable(record: Record) -> dict[str, int | float | str]:
    """Return dotted name → number or text of params, metrics, what was logged, and a few more."""
    told = facts(record)
    found: dict[str, Any] = {}
    for name, value in _leaves(told):
        found[name] = look_up(told, name) if name in found else value
    return {name: plain for name, value in found.items() if (plain := _plain(value)) is not None}


def is_comparable(field: str) -> bool:
    """Return whether all that a record says under `field` is in `comparable`."""
    return field in ALONE or field.partition(".")[0] in HEADS


def _leaves(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in told.items():
        if key in _WHOLE or ("." in key and is_comparable(key)):
            yield from _below(key, value)


def _below(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _below(f"{name}.{key}", item)
    else:
        yield name, value


def _plain(value: Any) -> int | float | str | None:
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, int) and abs(value) >= EXACT:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value if isinstance(value, int | float) else None
