"""Words to rules: what a policy says, read from plain values; what has no meaning is named."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.registry.rules.alias import AliasRules
from mlops_cli.registry.rules.bound import SIGNS, bound
from mlops_cli.registry.rules.card import Card
from mlops_cli.registry.rules.champion import BetterThan, NotWorseThan
from mlops_cli.registry.rules.data import DataAge, DataValid, DriftQuiet
from mlops_cli.registry.rules.export import Formats, Golden, Parity
from mlops_cli.registry.rules.finding import Rule
from mlops_cli.registry.rules.people import Approvals, Signed
from mlops_cli.registry.rules.reuse import Reuse
from mlops_cli.registry.rules.slices import Slices
from mlops_cli.registry.rules.source import CleanTree, ProtectedBranch

KINDS: tuple[type[Any], ...] = (
    *(BetterThan, NotWorseThan, Slices, Parity, Golden, Formats, CleanTree, ProtectedBranch),
    *(DataValid, DataAge, DriftQuiet, Reuse, Card, Signed, Approvals),
)
RULES: dict[str, type[Any]] = {dataclasses.fields(kind)[0].name: kind for kind in KINDS}
_POSITIVE = frozenset({"reuse", "approvals"})
_SHARES = frozenset({"alpha", "delta"})


def read(said: Any, *, aliases: Collection[str] = ()) -> Rule:
    """Return the rule that a policy says: a comparison, a word, an alias, or {word: …, …}.

    Raises ConfigError ("unknown-rule", "unknown-key", "missing-key", "wrong-type", "wrong-value");
    details["key"] is the part of the mapping that is meant.
    """
    if isinstance(said, str):
        return _word(said.strip(), aliases)
    if not isinstance(said, Mapping):
        raise _refuse(f"{said!r} is not a rule", "unknown-rule", _HINT)
    words = [str(key) for key in said if str(key) in RULES]
    if not words:
        first = next((str(key) for key in said), "")
        raise _refuse(
            f"the rule {first!r} has no meaning", "unknown-rule", _near(first, RULES), key=first
        )
    return _record(RULES[words[0]], words[0], said)


def options(kind: type[Any]) -> dict[str, Any]:
    """Return the fields of a rule with their types."""
    hints = typing.get_type_hints(kind)
    return {item.name: hints[item.name] for item in dataclasses.fields(kind)}


def bare(kind: type[Any]) -> bool:
    """Return whether the word alone is the rule."""
    return all(item.default is not dataclasses.MISSING for item in dataclasses.fields(kind))


def _word(said: str, aliases: Collection[str]) -> Rule:
    if any(sign in said for sign in SIGNS):
        return bound(said)
    if said in aliases:
        return AliasRules(said)
    kind = RULES.get(said)
    if kind is None:
        known = [*(word for word, kind in RULES.items() if bare(kind)), *aliases]
        raise _refuse(f"the rule {said!r} has no meaning", "unknown-rule", _near(said, known))
    if not bare(kind):
        raise _refuse(
            f"{said} says nothing without a value",
            "missing-key",
            f"{{{', '.join(f'{name}: …' for name in _needed(kind))}}}",
        )
    return typing.cast(Rule, kind())


def _record(kind: type[Any], word: str, said: Mapping[str, Any]) -> Rule:
    wanted = options(kind)
    values: dict[str, Any] = {}
    for key, value in said.items():
        if str(key) not in wanted:
            message = f"{word} has no {key!r}"
            raise _refuse(message, "unknown-key", _near(str(key), wanted), key=str(key))
        values[str(key)] = _value(wanted[str(key)], value, word, str(key))
    absent = [name for name in _needed(kind) if name not in values]
    if absent:
        raise _refuse(f"{word} has no {absent[0]!r}", "missing-key", f"add {absent[0]}: to it")
    try:
        return typing.cast(Rule, kind(**values))
    except ConfigError as exc:
        raise _refuse(f"{word}: {exc.message}", exc.code, exc.hint, key=word) from exc


def _needed(kind: type[Any]) -> list[str]:
    return [item.name for item in dataclasses.fields(kind) if item.default is dataclasses.MISSING]


def _value(kind: Any, value: Any, word: str, key: str) -> Any:
    """Return `value` as `kind` asks for it."""
    of = word if key == word else f"{key} of {word}"
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _value(next(one for one in inner if one is not type(None)), value, word, key)
    if origin is typing.Literal:
        if value in inner and type(value) in {type(one) for one in inner}:
            return value
        hint = f"write {' or '.join(_spelled(one) for one in inner)}, or leave it out"
        raise _refuse(f"{of} cannot be {_spelled(value)}", "wrong-value", hint, key=key)
    if origin is tuple:
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if not listed and key == word:
            raise _refuse(f"{of} names nothing", "wrong-value", None, key=key)
        return tuple(_value(inner[0], one, word, key) for one in listed)
    good = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or (kind is str and not value):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise _refuse(f"{of} must be {names[kind]}", "wrong-type", None, key=key)
    if kind is float and not math.isfinite(value):
        raise _refuse(f"{of} must be a finite number", "wrong-value", None, key=key)
    if key in _SHARES and not 0 < value < 1:
        raise _refuse(f"{of} must be between 0 and 1", "wrong-value", None, key=key)
    if (key in _POSITIVE and value < 1) or (key in ("margin", "tolerance") and value < 0):
        raise _refuse(f"{of} cannot be {value}", "wrong-value", None, key=key)
    return float(value) if kind is float else value


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _near(word: str, known: Iterable[str]) -> str:
    words = list(known)
    near = difflib.get_close_matches(word, words, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(one) for one in near)}?"
    return f"known: {', '.join(words)}; or a comparison: metrics.roc_auc >= 0.58"


def _refuse(message: str, code: str, hint: str | None, *, key: str | None = None) -> ConfigError:
    return ConfigError(message, code=code, hint=hint, details={"key": key} if key else None)


_HINT = "a rule is a comparison (metrics.roc_auc >= 0.58), a word (parity) or {word: …}"
