"""What `outs:` says: paths, and how each output is to be kept where that is not as usual."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.steps import Out
from mlops_cli.pipeline.paths import clean


def path_of(out: str | Out) -> str:
    """Return the path of an output, however it is written."""
    return out if isinstance(out, str) else out.path


def paths(outs: Iterable[str | Out]) -> list[str]:
    """Return the paths of outputs in their one spelling."""
    return [clean(path_of(out)) for out in outs]


def keeping(outs: Iterable[str | Out]) -> dict[str, dict[str, Any]]:
    """Return path → what is said of it that differs from how outputs usually are kept."""
    said = {clean(out.path): to_plain(out) for out in outs if isinstance(out, Out)}
    words = {path: {k: v for k, v in plain.items() if k != "path"} for path, plain in said.items()}
    return {path: plain for path, plain in words.items() if plain}
