"""Params files, and the named part of one: "params.yaml:train.lr"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError, MlopsError, NotFound
from mlops_cli.pipeline.parsed import parsed


def read_params(
    root: Path, references: Iterable[str], *, cache: Path | None = None
) -> dict[str, Any]:
    """Return the value behind each reference; every file is read once.

    Raises NotFound ("missing-file"), ConfigError ("unknown-reference", "path-outside-project").
    """
    files: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for reference in references:
        file, _, part = reference.partition(":")
        try:
            if file not in files:
                files[file] = _file(root, file, cache)
            found[reference] = _part(files[file], file, part)
        except MlopsError as error:
            error.details.setdefault("reference", reference)
            raise
    return found


def merged(params: Mapping[str, Any], references: Iterable[str]) -> dict[str, Any]:
    """Return what a step of several references is given: their mappings, later ones on top."""
    result: dict[str, Any] = {}
    for reference in references:
        value = params[reference]
        if isinstance(value, Mapping):
            result |= value
        else:
            result[reference.rpartition(":")[2].rpartition(".")[2]] = value
    return result


def flat(reference: str, value: Any) -> dict[str, Any]:
    """Return the single values behind a reference by dotted name: {"train.lr": 0.1}."""
    part = reference.partition(":")[2]
    if not isinstance(value, Mapping):
        return {part or reference: value}
    return {
        name: item
        for key, below in value.items()
        for name, item in flat(f":{part}.{key}" if part else f":{key}", below).items()
    }


def _file(root: Path, name: str, cache: Path | None) -> Any:
    from mlops_cli import fsio

    path = fsio.inside(root, name)
    if name.endswith(".json"):
        import json

        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError as exc:
            raise NotFound(f"there is no {name}", code="missing-file") from exc
        except ValueError as exc:
            raise ConfigError(f"{name} is not JSON: {exc}", code="malformed-json") from exc
    return parsed(path, name=name, cache=cache)


def _part(value: Any, file: str, part: str) -> Any:
    for word in part.split(".") if part else ():
        if not isinstance(value, Mapping) or word not in value:
            from mlops_cli.pipeline.document import meant

            raise ConfigError(
                f"{file} has no {part!r}",
                code="unknown-reference",
                hint=meant(word, value if isinstance(value, Mapping) else ()),
                details={"file": file, "reference": f"{file}:{part}"},
            )
        value = value[word]
    return value
