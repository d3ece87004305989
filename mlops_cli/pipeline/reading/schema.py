"""The JSON Schema of pipeline.yaml, made from the model, so that the two cannot part."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from mlops_cli.pipeline.model.pipeline import SPELLED, Pipeline
from mlops_cli.pipeline.reading.build import DURATION_FIELDS, DURATIONS, HOISTED

ID = "mlops.pipeline/1"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": ["string", "number", "boolean"]},  # taken as it is written
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[-+0-9.eE]+%$"}]},
}
_DURATION = {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?(s|m|h|d|w)\s*$"}
_NAME = {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"}


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of version 1; references and paths it cannot check."""
    definitions: dict[str, Any] = {}
    top = _record(Pipeline, definitions)
    top["properties"]["version"] = {"const": 1}
    for section in ("data", "features", "steps", "train", "models", "deployments", "monitors"):
        top["properties"][section]["propertyNames"] = _NAME
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "pipeline.yaml",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for item in dataclasses.fields(kind):
        word = SPELLED.get(item.name, item.name)
        properties[word] = _kind(hints[item.name], definitions, (kind.__name__, item.name))
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            required.append(word)
    for word in HOISTED.get(kind.__name__, ()):
        checks = properties["checks"]
        among = {**checks.get("properties", {}), word: properties[word]}
        properties["checks"] = {**checks, "properties": among}
    schema: dict[str, Any] = {"type": "object"}
    if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
        schema["description"] = " ".join(kind.__doc__.split())
    return {
        **schema,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _kind(kind: Any, definitions: dict[str, Any], field: tuple[str, str]) -> dict[str, Any]:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return {}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_kind(one, definitions, field) for one in inner]}
    if kind is type(None):
        return {"type": "null"}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if dataclasses.is_dataclass(kind):
        name = kind.__name__  # type: ignore[union-attr]
        if name not in definitions:
            definitions[name] = {}  # a place, should it ever hold itself
            definitions[name] = _record(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is tuple:
        one = _kind(inner[0], definitions, field)
        return {"anyOf": [{"type": "array", "items": one}, one, {"type": "null"}]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        values = _kind(inner[1], definitions, field)
        return {"type": ["object", "null"], "additionalProperties": values}
    if kind is str and (field[1] in DURATIONS or field in DURATION_FIELDS):
        return dict(_DURATION)
    return dict(_SCALARS[kind])
