"""New steps are written into pipeline.yaml; what a person wrote there stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.encode import stable_yaml
from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.words import document

FILE = "pipeline.yaml"


def new(name: str) -> str:
    """Return a pipeline.yaml without steps."""
    return stable_yaml({"version": 1, "project": {"name": name, "task": "other"}})


def splice(text: str, steps: Mapping[str, Any]) -> str:
    """Return the text of pipeline.yaml with `steps`, whose names are free, at the end of its own.

    Raises ConfigError ("cannot-edit") for a text that only a person can edit, and for one that is
    no pipeline.yaml.
    """
    if not steps:
        return text
    before = _plain(text)
    edited = _spliced(text, steps)
    wanted = {**before, "steps": {**(before.get("steps") or {}), **steps}}
    # as mlops reads it, not as it was meant: a word that YAML takes for a number is still a word
    if _plain(edited) != _plain(stable_yaml(wanted)):
        raise _by_hand()
    return edited


def steps_of(text: str) -> dict[str, Any]:
    """Return the steps that a pipeline.yaml has already."""
    top = _plain(text)
    found = top.get("steps") if isinstance(top, dict) else None
    return found if isinstance(found, dict) else {}


def as_read(definition: Mapping[str, Any]) -> Any:
    """Return a definition as it comes out when it was written and is read again."""
    return _plain(stable_yaml({"step": dict(definition)}))["step"]


def _spliced(text: str, steps: Mapping[str, Any]) -> str:
    import yaml

    lines = text.splitlines()
    top: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    if top is None or top.id != "mapping":
        raise _by_hand()
    pair = next((pair for pair in top.value if pair[0].value == "steps"), None)
    if pair is None:
        return "\n".join([*lines, "", "steps:", *_block(steps, 2)]) + "\n"
    key, node = pair
    if node.id != "mapping" or not node.value:
        if node.id == "mapping" or node.value not in ("", "~", "null"):
            raise _by_hand()
        at, indent = key.start_mark.line + 1, 2
        lines[at - 1] = " " * key.start_mark.column + "steps:"
    else:
        if node.flow_style:
            raise _by_hand()
        at, indent = _last_line(node) + 1, node.start_mark.column
    return "\n".join([*lines[:at], *_block(steps, indent), *lines[at:]]) + "\n"


def _block(steps: Mapping[str, Any], indent: int) -> list[str]:
    return [" " * indent + line for line in stable_yaml(dict(steps)).splitlines()]


def _last_line(node: Any) -> int:
    while node.id in ("mapping", "sequence") and node.value and not node.flow_style:
        node = node.value[-1][1] if node.id == "mapping" else node.value[-1]
    line: int = node.end_mark.line
    # the mark of a block of text is at the line after it
    return line - 1 if node.id == "scalar" and node.style in ("|", ">") else line


def _plain(text: str) -> Any:
    return document.plain(document.parse(text.encode(), name=FILE))


def _by_hand() -> ConfigError:
    return ConfigError(
        "pipeline.yaml is written in a way that this command cannot edit",
        code="cannot-edit",
        hint="write `steps:` as a block of its own; mlops import dvc --dry-run shows what to add",
    )
