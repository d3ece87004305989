"""Tags of GTO and the artifacts of dvc.yaml: told, not taken over, for a version of the registry
is a bundle around an ONNX model and not a name for a path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_cli.integrations.dvc import text
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.integrations.gto import grammar
from mlops_cli.integrations.gto.grammar import Said

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


def tags(git: Git) -> Iterator[Row]:
    """Yield a row for each tag that GTO made, oldest first."""
    for said in grammar.read(git):
        where = f"(commit {said.commit[:7]})"
        yield Row("artifact", said.tag, "noted", f"{_sentence(said)} {where}; mlops import gto")


def _sentence(said: Said) -> str:
    no = "no longer " if said.gone else ""
    if said.version is not None:
        return f"{said.name} is {no}version {said.version}"
    if said.stage is not None:
        return f"{said.name} is {no}in {said.stage}"
    return f"{said.name} is {no}deprecated"


def artifacts(file: str, value: Any) -> Iterator[Row]:
    """Yield a row for each artifact that a dvc.yaml declares."""
    for name, item in text.mapping(value, name=file).items():
        values = text.mapping(item, name=file)
        kind = f", a {values['type']}" if values.get("type") else ""
        why = f"{values.get('path')}{kind}; mlops register makes a version of an ONNX model"
        yield Row("artifact", name, "noted", why)
