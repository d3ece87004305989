"""`${params.train.lr}` in a command: which params it names, and the words to run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import ConfigError

FILE = "params.yaml"
REFERENCE = re.compile(r"\$\{params\.([A-Za-z0-9_.-]+)\}")
# a name with a dot is no variable of any shell, so it was meant for us
_DOTTED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_-]*\.[^}]*\}")


def references(line: str) -> tuple[str, ...]:
    """Return what a line names, as params references: "params.yaml:train.lr"."""
    return tuple(f"{FILE}:{match}" for match in REFERENCE.findall(line))


def strays(line: str) -> list[str]:
    """Return what looks like a reference and is none: "${params.yaml:lr}" (`map` has items)."""
    return [
        found
        for found in _DOTTED.findall(line)
        if not REFERENCE.fullmatch(found) and not found.startswith("${item.")
    ]


def interpolate(line: str, params: Mapping[str, Any]) -> str:
    """Return the line with every reference replaced by its value, quoted for the shell.

    `params` holds a value for each reference. Raises ConfigError ("wrong-type") for a list or
    mapping, which has no one spelling on a command line. The shell's own ${NAME} stays.
    """
    return REFERENCE.sub(lambda match: _word(match[1], params[f"{FILE}:{match[1]}"]), line)


def _word(name: str, value: Any) -> str:
    import shlex

    if isinstance(value, Mapping | list):
        raise ConfigError(
            f"${{params.{name}}} is not one value", code="wrong-type", hint="name one of its keys"
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else shlex.quote(str(value))
