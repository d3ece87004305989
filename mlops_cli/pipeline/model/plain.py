"""Any part of the model as plain values, so that it can go into a key, and back.

What equals its default is left out, so a new optional field changes no key.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any


def to_plain(value: Any) -> Any:
    """Return a model value as plain JSON; fields that equal their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if getattr(value, item.name) != _default(item)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """Return the model value of type `kind` that `to_plain` turned into `value`."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
        if isinstance(value, Mapping):
            return from_plain(next(one for one in choices if dataclasses.is_dataclass(one)), value)
        if len(choices) > 1 and not isinstance(value, list):
            return value
        return from_plain(choices[-1], value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{key: from_plain(hints[key], item) for key, item in value.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(from_plain(typing.get_args(kind)[0], item) for item in value)
    if origin is not None and isinstance(value, Mapping):
        return {key: from_plain(typing.get_args(kind)[1], item) for key, item in value.items()}
    return value


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default
