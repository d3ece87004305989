"""What differs between the parts of two keys, as reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_cli.pipeline.keys import code, params
from mlops_cli.pipeline.planning.reasons import (
    CodeChanged,
    CommandChanged,
    EnvironmentChanged,
    InputChanged,
    ParamChanged,
    Reason,
    VariableChanged,
)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    """Yield what differs between the parts of two keys, what people change most often first."""
    yield from _params(old.get("params", {}), new.get("params", {}))
    yield from _code(old.get("code", {}), new.get("code", {}))
    yield from _config(old, new)
    before, after = old.get("inputs", {}), new.get("inputs", {})
    for path in _names(before, after):
        if before.get(path) != after.get(path):
            yield InputChanged(path, before.get(path), after.get(path))
    before, after = old.get("environment", {}), new.get("environment", {})
    for name in _names(before, after):
        if before.get(name) != after.get(name):
            yield EnvironmentChanged(name, before.get(name), after.get(name))
    before, after = old.get("variables", {}), new.get("variables", {})
    for name in _names(before, after):
        if before.get(name) != after.get(name):
            yield VariableChanged(name)
    if old.get("version") != new.get("version"):
        yield CommandChanged("the version of keys", old.get("version"), new.get("version"))


def _params(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    before = {k: v for ref, value in old.items() for k, v in params.flat(ref, value).items()}
    after = {k: v for ref, value in new.items() for k, v in params.flat(ref, value).items()}
    for name in _names(before, after):
        if name not in before or name not in after or before[name] != after[name]:
            yield ParamChanged(name, before.get(name), after.get(name))


def _code(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    for path in _names(old, new):
        if old.get(path) != new.get(path):
            yield CodeChanged(path, code.changed(old.get(path), new.get(path)))


def _config(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    words = ("kind", "cmd", "outs", "wdir", "metrics", "until")
    for word in words:
        if old.get(word) != new.get(word):
            yield CommandChanged(word, old.get(word), new.get(word))
    before, after = old.get("revision", 1), new.get("revision", 1)
    if before != after and old.get("kind") == new.get("kind"):
        yield CommandChanged(f"the way mlops makes a {new.get('kind')} step", before, after)
    for part in ("config", "env"):
        before, after = _flat("", old.get(part, {})), _flat("", new.get(part, {}))
        for name in _names(before, after):
            if name not in before or name not in after or before[name] != after[name]:
                yield CommandChanged(name, before.get(name), after.get(name))


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {prefix: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= _flat(f"{prefix}.{name}" if prefix else str(name), item)
    return found


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [*new, *(name for name in old if name not in new)]
