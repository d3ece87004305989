"""pipeline.yaml to the model: every refusal names file, line and column, and what was meant."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline import check, include, matrix
from mlops_cli.pipeline.document import Node, Place, meant, plain, read, refuse
from mlops_cli.pipeline.model import SPELLED, Pipeline, duration, size
from mlops_cli.pipeline.partitions import Span

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


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model together with the text it came from, for errors found later."""

    pipeline: Pipeline
    top: Node
    reads: frozenset[str] = frozenset()  # files beside it that say which steps there are
    span: Span | None = None  # the time in which these are the steps

    def place(self, *path: str | int) -> Place:
        """Return where the value at `path` stands, or its nearest parent that is written."""
        return place_of(self.top, *path)


def load(root: Path) -> Pipeline:
    """Return what pipeline.yaml in `root` says.

    Raises ConfigError with `details` file, line, column; codes: malformed-yaml, duplicate-key,
    unknown-key, missing-key, wrong-type, wrong-value, unknown-reference, path-outside-project,
    metric-does-not-fit-task, label-missing. NotFound ("missing-file") without pipeline.yaml.
    """
    return load_with_places(root).pipeline


def load_with_places(root: Path, *, now: datetime | None = None) -> Loaded:
    """Return the model and where each of its values stands; errors as in `load`.

    `now` says which partitions there are: by the clock of the machine when left out.
    """
    top = read(root / FILE, name=FILE)
    version = top.value.get("version") if isinstance(top.value, dict) else None
    if version is not None and version.value != 1:
        raise refuse(
            version.place,
            f"version {version.text or version.shape} of {FILE} is not known to this mlops",
            code="wrong-value",
            hint="write version: 1, or install a newer mlops",
        )
    reads: list[str] = []
    top = include.included(top, root, reads, chain=(FILE,))
    span = Span(now or datetime.now(UTC))
    top = matrix.unrolled(top, root, reads, span)
    loaded = Loaded(build(Pipeline, top, "pipeline.yaml"), top, frozenset(reads), span)
    check.check(loaded.pipeline, loaded.place, root)
    return loaded


def place_of(top: Node, *path: str | int) -> Place:
    """Return where the value at `path` stands, or its nearest parent that is written."""
    node, place = top, top.place
    for step in path:
        value = node.value
        if isinstance(value, dict):
            word = next((w for w in (str(step), SPELLED.get(str(step), "")) if w in value), None)
            if word is None:
                break
            node, place = value[word], node.keys[word]
        elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
            node = value[step]
            place = node.place
        else:
            break  # one value where a list may stand
    return place if isinstance(node.value, dict) else node.place


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
