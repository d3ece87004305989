"""The JSON Schema of models/<name>.yaml, made from the rules, so that the two cannot part."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from mlops_cli.registry.formats import KNOWN
from mlops_cli.registry.rules.table import RULES, bare, options

ID = "mlops.policy/1"
_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of version 1; whether names exist it cannot check."""
    words = sorted(word for word, kind in RULES.items() if bare(kind))
    rules = [{"$ref": f"#/$defs/{word}"} for word in RULES]
    said = {
        "type": "string",
        "description": "a comparison (metrics.roc_auc >= 0.58), another alias, or a word: "
        + ", ".join(words),
    }
    alias = {
        "type": ["object", "null"],
        "properties": {
            "gates": {"type": "array", "items": {"anyOf": [said, *rules]}},
            "approvals": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "models/<name>.yaml",
        "type": "object",
        "required": ["aliases"],
        "properties": {
            "version": {"const": 1},
            "owner": {"type": "string"},
            "formats": {"type": "array", "minItems": 1, "items": {"enum": list(KNOWN)}},
            "aliases": {"type": "object", "additionalProperties": alias},
        },
        "additionalProperties": False,
        "$defs": {word: _rule(kind) for word, kind in RULES.items()},
    }


def _rule(kind: type[Any]) -> dict[str, Any]:
    required = [
        item.name
        for n, item in enumerate(dataclasses.fields(kind))
        if item.default is dataclasses.MISSING or n == 0
    ]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {name: _kind(hint) for name, hint in options(kind).items()},
        "required": required,
        "additionalProperties": False,
    }


def _kind(hint: Any) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_kind(one) for one in inner]}
    if hint is type(None):
        return {"type": "null"}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is tuple:
        one = _kind(inner[0])
        return {"anyOf": [one, {"type": "array", "items": one}]}
    return {"type": _SCALARS[hint]}
