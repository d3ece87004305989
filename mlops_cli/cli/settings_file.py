"""Change one setting in a settings file: comments, order and everything else stay as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mlops_cli import config, fsio
from mlops_cli.errors import ConfigError, NotFound

_SAFE = re.compile(r"[A-Za-z0-9_./~](?:[A-Za-z0-9_./~@%+=:-]*[A-Za-z0-9_./~@%+=-])?")
_WORDS = ("null", "~", "true", "false", "yes", "no", "on", "off")


def change(path: Path, name: str, value: str | None) -> None:
    """Set `name` to `value` in the file at `path`, or take it out where `value` is None.

    Raises NotFound ("not-set") when there is nothing to take out, and ConfigError
    ("cannot-edit") for files written in a way that only a person can edit.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    edited = edit(text, name, value, source=str(path))
    fsio.write_atomic(path, edited)


def edit(text: str, name: str, value: str | None, *, source: str) -> str:
    """Return `text` with one setting changed; see `change`."""
    import yaml

    before = [entry[:2] for entry in config.entries(text, source=source)]
    lines = text.splitlines()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as exc:  # plain text that only config's own reader accepts
        raise _by_hand(source) from exc
    if value is None:
        if name not in dict(before):
            raise NotFound(
                f"{name} is not set in {source}",
                code="not-set",
                hint="mlops config list --origin shows where each setting comes from",
            )
        lines = _without(lines, node, name.split("."), source)
        wanted = [entry for entry in before if entry[0] != name]
    else:
        lines = _with(lines, node, name.split("."), _scalar(value), source)
        wanted = [entry for entry in before if entry[0] != name] + [(name, value)]
    edited = "\n".join(lines) + "\n" if lines else ""
    after = [entry[:2] for entry in config.entries(edited, source=source)]
    if sorted(after) != sorted(wanted):
        raise _by_hand(source)
    return edited


def _with(lines: list[str], node: Any, path: list[str], value: str, source: str) -> list[str]:
    at = len(lines)
    indent = 0
    while node is not None and node.id == "mapping" and node.value:
        indent, at = node.start_mark.column, _last_line(node) + 1
        pair = next((pair for pair in node.value if pair[0].value == path[0]), None)
        if pair is None:
            break
        key, found = pair
        if len(path) == 1:
            return _replaced(lines, found, value, source)
        if node.flow_style:
            raise _by_hand(source)
        path = path[1:]
        if found.id != "mapping":  # a section with nothing in it yet
            indent, at = indent + 2, key.start_mark.line + 1
            break
        node = found
    if node is not None and getattr(node, "flow_style", False):
        raise _by_hand(source)
    new = [" " * (indent + 2 * depth) + key + ":" for depth, key in enumerate(path)]
    new[-1] += " " + value
    return [*lines[:at], *new, *lines[at:]]


def _replaced(lines: list[str], found: Any, value: str, source: str) -> list[str]:
    start, end = found.start_mark, found.end_mark
    if found.id != "scalar" or start.line != end.line:
        raise _by_hand(source)
    line = lines[start.line]
    gap = "" if line[: start.column].endswith((" ", "\t")) else " "
    changed = line[: start.column] + gap + value + line[end.column :]
    return [*lines[: start.line], changed, *lines[start.line + 1 :]]


def _without(lines: list[str], node: Any, path: list[str], source: str) -> list[str]:
    cut: Any = None
    for word in path:
        pair = next(pair for pair in node.value if pair[0].value == word)
        if node.flow_style:
            raise _by_hand(source)
        if cut is None or len(node.value) > 1:  # else the section would be left empty: cut it too
            cut = pair
        node = pair[1]
    return [*lines[: cut[0].start_mark.line], *lines[_last_line(cut[1]) + 1 :]]


def _last_line(node: Any) -> int:
    while node.id == "mapping" and node.value:
        node = node.value[-1][1]
    line: int = node.end_mark.line
    return line


def _scalar(value: str) -> str:
    safe = _SAFE.fullmatch(value) and value.lower() not in _WORDS
    return value if safe else json.dumps(value, ensure_ascii=False)


def _by_hand(source: str) -> ConfigError:
    return ConfigError(
        f"{source} is written in a way that this command cannot edit",
        code="cannot-edit",
        hint=f"edit {source} by hand; nothing was changed",
    )
