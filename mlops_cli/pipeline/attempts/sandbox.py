"""A scratch tree that holds only what a step declared: what else it touched or missed comes out.

Inputs are copies (sharing their blocks where the disk can), so a step that writes to them harms
nothing. Paths that a step builds itself from the root of the file system are not seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.copies import copy
from mlops_cli.pipeline.traces.keeping import persists

_WORD = re.compile(r"[A-Za-z0-9_./@+-]+")
SHOWN = 10  # paths in a sentence


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A tree that was filled; `known` maps each path in it to its mtime, size and kind."""

    tree: Path
    known: Mapping[str, tuple[int, int]]


def fill(root: Path, step: Step, parts: Mapping[str, Any], tree: Path) -> Sandbox:
    """Put what `step` declared into `tree`: deps, code, params files, folders of outputs."""
    params = [reference.partition(":")[0] for reference in parts.get("params", {})]
    own = persists(step)
    for path in dict.fromkeys([*parts.get("inputs", {}), *parts.get("code", {}), *params, *own]):
        copy(root / path, tree / path)
    for out in step.outs:
        (tree / out).parent.mkdir(parents=True, exist_ok=True)
    (tree / step.wdir).mkdir(parents=True, exist_ok=True)
    return Sandbox(tree, _listing(tree))


def touched(sandbox: Sandbox, outs: Collection[str]) -> list[str]:
    """Return in words what was written that is no output, and which inputs were changed."""
    now = _listing(sandbox.tree)
    words = [
        f"wrote {path}"
        for path in sorted(now.keys() - sandbox.known.keys())
        if not any(under(path, out) for out in outs)
    ]
    for path, was in sorted(sandbox.known.items()):
        if any(under(path, out) for out in outs):
            continue
        if path not in now:
            words.append(f"removed {path}")
        elif now[path] != was:
            words.append(f"changed {path}")
    return words


def missed(sandbox: Sandbox, root: Path, wdir: str, said: Collection[str]) -> list[str]:
    """Return the paths among the last words of a failed step that are in the project and were not
    declared."""
    found: dict[str, None] = {}
    for word in (word for line in said for word in _WORD.findall(line)):
        for base in (wdir, "."):
            path = os.path.normpath(os.path.join(base, word.removeprefix(f"{sandbox.tree}/")))
            inside = path != "." and not path.startswith(("..", "/", ".git/", ".mlops/"))
            if inside and (root / path).exists() and not (sandbox.tree / path).exists():
                found[path] = None
    return list(found)


def explained(
    error: MlopsError, sandbox: Sandbox, root: Path, step: Step, said: Collection[str]
) -> MlopsError:
    """Return the error of a step that failed in a sandbox, with what it probably lacked."""
    lacks = missed(sandbox, root, step.wdir, said)
    if not lacks:
        return error
    return type(error)(
        f"{error.message}\nit speaks of {', '.join(lacks[:SHOWN])}, which it does not declare",
        code=error.code,
        hint=f"add to deps: of {step.name}: {', '.join(lacks[:SHOWN])}",
        details={**error.details, "missed": lacks},
    )


def _listing(tree: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            state = os.lstat(path)
            found[os.path.relpath(path, tree)] = (state.st_mtime_ns, state.st_size)
    return found
