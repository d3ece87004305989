"""Values put into the text of pipeline.yaml, `${item.lr}`, `${with.region}`, before it is read.

Only where a person expects a value: commands (quoted for the shell), paths, params, variables.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from mlops_cli.pipeline.model.pipeline import SPELLED
from mlops_cli.pipeline.model.steps import StepDef
from mlops_cli.pipeline.words.document import Node, Place, meant, refuse

PLACES = (
    *("cmd", "deps", "outs", "metrics", "plots", "params", "env", "wdir", "checkpoint"),
    *("resources", "for"),
)


def of(value: Any, place: Place) -> Node:
    """Return a plain value as a node that stands at `place`."""
    if isinstance(value, Mapping):
        keys = {str(key): place for key in value}
        return Node(place, {str(key): of(item, place) for key, item in value.items()}, keys=keys)
    if isinstance(value, list | tuple):
        return Node(place, tuple(of(item, place) for item in value))
    return Node(place, value, spelled(value))


def spelled(value: Any) -> str:
    """Return a single value as a person would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def filled(step: Node, word: str, value: Node) -> Node:
    """Return a step with `value` in the place of `${word}`, its parts in that of `${word.part}`.

    Raises ConfigError ("unknown-reference", "wrong-value") at the place of the text.
    """
    if not isinstance(step.value, dict):
        return step
    reference = re.compile(rf"\$\{{{word}(?:\.([A-Za-z0-9_-]+))?\}}")
    entries = {}
    for key, node in step.value.items():
        if key in PLACES:
            entries[key] = _filled(node, reference, word, value, shell=key == "cmd")
        else:  # of a word that no step has, the model says what was meant
            for text in _texts(node) if key in _words() else ():
                if reference.search(text.text):
                    raise refuse(
                        text.place,
                        f"{key} takes no ${{{word}}}",
                        code="wrong-value",
                        hint=f"it may stand in {', '.join(PLACES[:-1])}",
                    )
            entries[key] = node
    return replace(step, value=entries)


def _filled(node: Node, reference: re.Pattern[str], word: str, value: Node, *, shell: bool) -> Node:
    if isinstance(node.value, tuple):
        items = [_filled(one, reference, word, value, shell=shell) for one in node.value]
        return replace(node, value=tuple(items))
    if isinstance(node.value, dict):
        found = {k: _filled(v, reference, word, value, shell=shell) for k, v in node.value.items()}
        return replace(node, value=found)
    if not reference.search(node.text):
        return node

    def put(match: re.Match[str]) -> str:
        text = _part(value, match[1], word, node.place).text
        return shlex.quote(text) if shell else text

    text = reference.sub(put, node.text)
    return replace(node, value=text, text=text)


def _part(value: Node, name: str | None, word: str, place: Place) -> Node:
    parts = value.value if isinstance(value.value, dict) else {}
    if name is None and parts and not value.text:
        raise refuse(
            place,
            f"${{{word}}} has several values",
            code="unknown-reference",
            hint=f"${{{word}.NAME}}; {meant('', parts)}",
        )
    if name is not None and name not in parts:
        raise refuse(
            place,
            f"${{{word}.{name}}} does not exist",
            code="unknown-reference",
            hint=meant(name, parts) if parts else f"it says nothing of {name}",
        )
    return parts[name] if name is not None else value


@cache
def _words() -> frozenset[str]:
    return frozenset(SPELLED.get(item.name, item.name) for item in fields(StepDef))


def _texts(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict | tuple):
        inner = node.value.values() if isinstance(node.value, dict) else node.value
        for one in inner:
            yield from _texts(one)
    else:
        yield node
