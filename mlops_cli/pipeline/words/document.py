"""A YAML file in which every value knows its line and column; scalars as YAML 1.2 reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.encode import check_nesting
from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.words.expanded import MOST, expanded

_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _STANDARD + word
    for word in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "merge")
)
_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """One value: `value` is a scalar, a tuple of nodes, or a dict of nodes by key."""

    place: Place
    value: Any
    text: str = ""  # a scalar as it was written
    keys: Mapping[str, Place] = field(default_factory=dict)  # where each key of a mapping stands

    @property
    def shape(self) -> str:
        """Return what this is in the words of a person."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, tuple):
            return "a list"
        return "nothing" if self.value is None else repr(self.value)


def refuse(
    place: Place, message: str, *, code: str, hint: str | None = None, **details: Any
) -> ConfigError:
    """Return the error that points at `place`."""
    return ConfigError(
        f"{place}: {message}",
        code=code,
        hint=hint,
        details={"file": place.file, "line": place.line, "column": place.column, **details},
    )


def meant(word: str, known: Iterable[Any]) -> str:
    """Return the hint: the nearest known word, or all of them."""
    import difflib

    words = [str(item) for item in known]
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(words)}" if words else "there are none yet"


def read(path: Path, *, name: str) -> Node:
    """Return the top value of the YAML file `path`; errors call the file `name`.

    Raises ConfigError ("malformed-yaml", "duplicate-key") and NotFound ("missing-file").
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFound(
            f"there is no {name} in this project",
            code="missing-file",
            hint="mlops init" if name == "pipeline.yaml" else f"write {name}, or correct its name",
            details={"file": name},
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"cannot read {name}: {exc.strerror}", code="unreadable-file", details={"file": name}
        ) from exc
    return parse(data, name=name)


def parse(data: bytes, *, name: str) -> Node:
    """Return the top value of the YAML text `data`; an empty text is an empty mapping."""
    import yaml

    start = Place(name, 1, 1)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        top = yaml.compose(check_nesting(data.decode("utf-8-sig")), Loader=loader)
        count = expanded(top, {}) if top is not None and b"*" in data else 0
    except UnicodeDecodeError as exc:
        raise refuse(start, "this is not UTF-8 text", code="malformed-yaml") from exc
    except RecursionError as exc:
        raise refuse(start, "this nests too deeply", code="malformed-yaml") from exc
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else start
        problem = exc.problem or exc.context or "not YAML"
        hint = "indent with spaces, not tabs" if "\\t" in problem else None
        raise refuse(place, f"not valid YAML: {problem}", code="malformed-yaml", hint=hint) from exc
    except yaml.YAMLError as exc:
        raise refuse(start, f"not valid YAML: {exc}", code="malformed-yaml") from exc
    if count > MOST:
        why = f"its aliases make {count:.0e} values of {len(data):,} bytes"
        raise refuse(start, why, code="malformed-yaml")
    return Node(start, {}) if top is None else _node(top, name, 0)


def plain(node: Node) -> Any:
    """Return the node as plain values: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return node.value


def _node(raw: Any, name: str, depth: int) -> Node:
    place = Place(name, raw.start_mark.line + 1, raw.start_mark.column + 1)
    if depth > _DEPTH:
        raise refuse(place, "this nests too deeply", code="malformed-yaml")
    if raw.tag not in _TAGS:
        raise refuse(
            place, f"the tag {raw.tag} is not known here", code="malformed-yaml", hint="remove it"
        )
    if raw.id == "sequence":
        return Node(place, tuple(_node(item, name, depth + 1) for item in raw.value))
    if raw.id == "mapping":
        return _mapping(raw, place, name, depth)
    return Node(place, _scalar(raw, place), raw.value)


def _mapping(raw: Any, place: Place, name: str, depth: int) -> Node:
    values: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    merged: list[Node] = []
    for key, item in raw.value:
        here = Place(name, key.start_mark.line + 1, key.start_mark.column + 1)
        if key.id != "scalar":
            raise refuse(here, "a key must be a word", code="malformed-yaml")
        node = _node(item, name, depth + 1)
        if key.value == "<<" and not key.style:
            merged += node.value if isinstance(node.value, tuple) else [node]
        elif key.value in values:
            raise refuse(
                here,
                f"the key {key.value!r} stands here a second time",
                code="duplicate-key",
                hint=f"the first one is in line {keys[key.value].line}; keep one of them",
                key=key.value,
            )
        else:
            values[key.value], keys[key.value] = node, here
    for other in merged:
        if not isinstance(other.value, dict):
            raise refuse(place, "<< takes a mapping", code="malformed-yaml")
        for word, node in other.value.items():
            values.setdefault(word, node)
            keys.setdefault(word, other.keys[word])
    return Node(place, values, keys=keys)


def _scalar(raw: Any, place: Place) -> Any:
    text = raw.value
    if raw.style:  # quoted: always text
        return text
    if raw.tag == _STANDARD + "str" and _INT.fullmatch(text):  # !!str 5
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        raise refuse(
            place, f"{text} is not a number that can be kept", code="wrong-type", hint="use null"
        )
    return text
