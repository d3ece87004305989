"""Params files, and the named part of one: "params.yaml:train.lr"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError, MlopsError, NotFound
from mlops_cli.pipeline.keys.parsed import parsed, remembered


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
    if not name.endswith((".json", ".toml")):
        return parsed(path, name=name, cache=cache)
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFound(f"there is no {name}", code="missing-file") from exc
    except OSError as exc:
        raise ConfigError(f"cannot read {name}: {exc.strerror}", code="unreadable-file") from exc
    read = _json if name.endswith(".json") else _toml
    return remembered(data, lambda: read(data, name), maker=f"params {name} 1", cache=cache)


def _json(data: bytes, name: str) -> Any:
    import json

    try:
        return json.loads(data)
    except json.JSONDecodeError as exc:
        raise _malformed(name, exc.lineno, exc.colno, exc.msg) from exc
    except ValueError as exc:
        raise ConfigError(f"{name} is not JSON: {exc}", code="malformed-params") from exc


def _toml(data: bytes, name: str) -> Any:
    import re
    import tomllib

    try:
        return _plain(tomllib.loads(data.decode()))
    except tomllib.TOMLDecodeError as exc:
        said = str(exc)
        at = re.search(r" \(at line (\d+), column (\d+)\)$", said)
        line, column = (int(at[1]), int(at[2])) if at else (data.count(b"\n") + 1, 1)
        raise _malformed(name, line, column, said[: at.start()] if at else said) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{name} is not UTF-8 text", code="malformed-params") from exc


def _plain(value: Any) -> Any:
    """Return what TOML says as JSON can: a date is the text that YAML reads it as."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float) else value.isoformat()


def _malformed(name: str, line: int, column: int, what: str) -> ConfigError:
    return ConfigError(
        f"{name}:{line}:{column}: {what[:1].lower()}{what[1:]}",
        code="malformed-params",
        details={"file": name, "line": line, "column": column},
    )


def _part(value: Any, file: str, part: str) -> Any:
    for word in part.split(".") if part else ():
        if not isinstance(value, Mapping) or word not in value:
            from mlops_cli.pipeline.words.document import meant

            raise ConfigError(
                f"{file} has no {part!r}",
                code="unknown-reference",
                hint=meant(word, value if isinstance(value, Mapping) else ()),
                details={"file": file, "reference": f"{file}:{part}"},
            )
        value = value[word]
    return value
