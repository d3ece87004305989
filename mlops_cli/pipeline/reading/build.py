"""Nodes of a text to values of the model; what does not fit is refused where it stands."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.model.amounts import duration, size
from mlops_cli.pipeline.model.pipeline import SPELLED
from mlops_cli.pipeline.words.document import Node, Place, meant, plain, refuse

FILE = "pipeline.yaml"
DURATIONS = frozenset(
    {
        "ttl",
        "fresh_within",
        "over",
        "max_delay",
        "cooldown",
        "per",
        "timeout",
        "backoff",
        "grace",
        "lease",
        "every",
    }
)
DURATION_FIELDS = {("DatasetDef", "window"), ("MonitorWindow", "size"), ("Until", "budget")}
SIZES = {("ServingLimits", "body"), ("Resources", "mem")}
# written under `checks:` beside the columns, because that is where a person looks for them
HOISTED = {"Source": ("rows", "fresh_within"), "FeatureView": ("on_fail",)}
_TYPE_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    """Return the fields of a model class by the word a person writes, with their types."""
    hints = typing.get_type_hints(kind)
    return {
        SPELLED.get(item.name, item.name): (item, hints[item.name])
        for item in dataclasses.fields(kind)
    }


def build(kind: Any, node: Node, where: str) -> Any:
    """Return what `node` says as a value of the model. Raises ConfigError as `load`."""
    origin = typing.get_origin(kind)
    if kind is Any:
        return plain(node)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(kind), node, where)
    if dataclasses.is_dataclass(kind):
        return _record(kind, node, where)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        if isinstance(node.value, tuple):
            return tuple(build(item, each, f"{where}[{n}]") for n, each in enumerate(node.value))
        if isinstance(node.value, dict) and not dataclasses.is_dataclass(item) and item is not Any:
            raise _wrong(node, where, "a list")
        return () if node.value is None else (build(item, node, where),)
    if origin is typing.Literal:
        return _choice(typing.get_args(kind), node, where)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if node.value is None:
            return {}
        if not isinstance(node.value, dict):
            raise _wrong(node, where, "a mapping")
        item = typing.get_args(kind)[1]
        return {key: build(item, each, f"{where}.{key}") for key, each in node.value.items()}
    return _scalar(kind, node, where)


def _record(kind: Any, node: Node, where: str) -> Any:
    known = _fields(kind)
    if node.value is None and all(_optional(item) for item, _ in known.values()):
        return kind()
    if not isinstance(node.value, dict):
        raise _wrong(node, where, "a mapping with " + ", ".join(list(known)[:4]))
    entries, keys = dict(node.value), dict(node.keys)
    _hoist(kind.__name__, entries, keys)
    values: dict[str, Any] = {}
    for word, item in entries.items():
        if word not in known:
            raise refuse(
                keys[word],
                f"unknown key {word!r} in {where}",
                code="unknown-key",
                hint=meant(word, known),
                key=word,
            )
        target, hint = known[word]
        below = word if where == FILE else f"{where}.{word}"
        values[target.name] = build(hint, item, below)
        _words_of_size(kind.__name__, target.name, item, below)
    for word, (target, _) in known.items():
        if target.name not in values and not _optional(target):
            raise refuse(
                node.place,
                f"{where} has no {word!r}",
                code="missing-key",
                hint=f"add {word}: to {where}",
                key=word,
            )
    return kind(**values)


def _hoist(name: str, entries: dict[str, Node], keys: dict[str, Place]) -> None:
    checks = entries.get("checks")
    if checks is None or not isinstance(checks.value, dict):
        return
    for word in HOISTED.get(name, ()):
        if word in checks.value and word not in entries:
            entries[word], keys[word] = checks.value[word], checks.keys[word]
    rest = {key: item for key, item in checks.value.items() if key not in HOISTED.get(name, ())}
    entries["checks"] = dataclasses.replace(checks, value=rest)


def _optional(item: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return item.default is not missing or item.default_factory is not missing


def _union(choices: tuple[Any, ...], node: Node, where: str) -> Any:
    if node.value is None and type(None) in choices:
        return None
    rest = [choice for choice in choices if choice is not type(None)]
    if isinstance(node.value, tuple):
        listed = [choice for choice in rest if typing.get_origin(choice) is tuple]
        return build((listed or rest)[0], node, where)
    if isinstance(node.value, dict):
        records = [choice for choice in rest if dataclasses.is_dataclass(choice)]
        return build((records or rest)[0], node, where)
    return build(rest[0], node, where)


def _choice(words: tuple[Any, ...], node: Node, where: str) -> Any:
    if node.value in words:
        return node.value
    raise refuse(
        node.place,
        f"{where} is {node.shape}, and must be one of {', '.join(map(str, words))}",
        code="wrong-value",
        hint=meant(node.text, words) if node.text else None,
    )


def _scalar(kind: type, node: Node, where: str) -> Any:
    value = node.value
    if isinstance(value, (dict, tuple)) or value is None:
        raise _wrong(node, where, _TYPE_WORDS.get(kind, kind.__name__))
    if kind is str:
        return node.text  # as it was written: `cmd: true` is the command true
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is float and node.text.endswith("%"):
        try:
            return round(float(node.text[:-1]) / 100, 12)
        except ValueError:
            pass
    raise _wrong(node, where, _TYPE_WORDS.get(kind, kind.__name__))


def _words_of_size(kind: str, name: str, node: Node, where: str) -> None:
    """Check the fields whose words mean a duration or a size in bytes."""
    reads: Callable[[str], object] | None = None
    if name in DURATIONS or (kind, name) in DURATION_FIELDS:
        reads = duration
    elif (kind, name) in SIZES:
        reads = size
    if reads is None:
        return
    for item in node.value if isinstance(node.value, tuple) else (node,):
        if item.value is None:
            continue
        try:
            reads(item.text)
        except ValueError as exc:
            raise refuse(item.place, f"{where}: {exc}", code="wrong-value") from exc


def _wrong(node: Node, where: str, wanted: str) -> ConfigError:
    return refuse(node.place, f"{where} must be {wanted}, and is {node.shape}", code="wrong-type")
