"""What a project says of a model that comes by way of MLflow: its formats, who moves its aliases.

Read from the protected branch, so that no script lets itself in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.registry.formats import ALLOWED, of_bytes
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.version import check_name

FOLDER = "folder"  # a model that is no single file


@dataclass(frozen=True, slots=True)
class Policy:
    """The words of models/<name>.yaml that matter here; none where there is no such file."""

    formats: tuple[str, ...] = ALLOWED
    aliases: frozenset[str] = frozenset()


def policy(protected: Protected, model: str) -> Policy:
    """Return what models/<model>.yaml says on the protected branch."""
    data = protected.read(f"models/{model}.yaml")
    if data is None:
        return Policy()
    from mlops_cli.errors import ConfigError
    from mlops_cli.integrations.mlflow import document

    try:
        said = document.parse(data, name=f"models/{model}.yaml")
    except ConfigError:
        return Policy(aliases=frozenset("*"))  # nobody can tell what it lets in: nothing
    formats: Any = said.get("formats")
    aliases: Any = said.get("aliases")
    return Policy(
        tuple(map(str, formats)) if isinstance(formats, list) else ALLOWED,
        frozenset(aliases if isinstance(aliases, Mapping) else ()),
    )


def guards(found: Policy, alias: str) -> bool:
    """Return whether the alias has gates, which only `mlops promote` opens."""
    return alias in found.aliases or "*" in found.aliases


def format_of(head: bytes | None) -> str:
    """Return in one word what the first bytes of a model say it is; None: it is a folder."""
    if head is None:
        return FOLDER
    return of_bytes(head[:16])


def slug(name: str) -> str:
    """Return the name of a model here: what a tag cannot hold becomes a hyphen.

    Raises UsageError ("bad-name") where nothing is left of it.
    """
    return check_name(re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:100].strip("-."))
