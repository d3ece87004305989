"""Tags of GTO and the artifacts of dvc.yaml: told, not taken over, for a version of the registry
is a bundle around an ONNX model and not a name for a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_cli.integrations.dvc import text
from mlops_cli.integrations.dvc.row import Row

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

_NAME = r"(?P<name>[a-z](?:[a-z0-9-]*[a-z0-9])?(?::?[^@#\s]*)?)"
_VERSION = re.compile(_NAME + r"@v(?P<version>\d+\.\d+\.\d+\S*?)(?P<gone>!)?(?:#\d+)?")
_STAGE = re.compile(_NAME + r"#(?P<stage>[a-z][a-z0-9-]*)(?P<gone>!)?(?:#\d+)?")
_DEPRECATED = re.compile(_NAME + r"@deprecated(?P<gone>!)?(?:#\d+)?")


def tags(git: Git) -> Iterator[Row]:
    """Yield a row for each tag that GTO made, oldest first."""
    listing = git.run(
        "for-each-ref", "--sort=creatordate", "--format=%(refname:lstrip=2) %(objectname:short)",
        "refs/tags",
    )  # fmt: skip
    for line in listing.splitlines():
        tag, _, commit = line.rpartition(" ")
        if said := _said(tag):
            yield Row("artifact", tag, "noted", f"{said} (commit {commit})")


def _said(tag: str) -> str | None:
    if match := _VERSION.fullmatch(tag):
        verb = "no longer " if match["gone"] else ""
        return f"{match['name']} is {verb}version {match['version']}"
    if match := _STAGE.fullmatch(tag):
        verb = "no longer " if match["gone"] else ""
        return f"{match['name']} is {verb}in {match['stage']}; mlops promote makes an alias of it"
    if match := _DEPRECATED.fullmatch(tag):
        return f"{match['name']} is {'no longer ' if match['gone'] else ''}deprecated"
    return None


def artifacts(file: str, value: Any) -> Iterator[Row]:
    """Yield a row for each artifact that a dvc.yaml declares."""
    for name, item in text.mapping(value, name=file).items():
        values = text.mapping(item, name=file)
        kind = f", a {values['type']}" if values.get("type") else ""
        why = f"{values.get('path')}{kind}; mlops register makes a version of an ONNX model"
        yield Row("artifact", name, "noted", why)
