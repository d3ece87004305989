"""A look at the workspace: the digest of every path and file of code that a plan asks about."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.globs import LISTED, expand, is_glob
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.keys.environment import environment
from mlops_cli.pipeline.keys.params import read_params
from mlops_cli.pipeline.planning.plan import World
from mlops_cli.pipeline.step import Step

if TYPE_CHECKING:
    from mlops_cli.pipeline.traces.lock import Lock
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.statcache import StatCache

SMALL = 64 << 10  # reading and hashing such a file costs less than asking what it was


def look(
    graph: Graph,
    names: Collection[str],
    *,
    root: Path,
    stats: StatCache | None,
    environ: Mapping[str, str],
    python: tuple[int, int],
    store: Cache | None,
    parsed: Path | None,
    locks: Mapping[str, Lock] | None = None,
    refresh: bool = False,
) -> World:
    """Return what the steps `names` see now; `parsed` is the folder of parsed files.

    With `refresh` servers are asked about URLs that `locks` know, too.
    Raises as `read_params`, `environment`, `web.now`; a path that is not there is no error here.
    """
    steps = [graph.steps[name] for name in names]
    wanted = dict.fromkeys(path for step in steps for path in (*step.deps, *step.outs))
    paths: dict[str, str | None] = {}
    absent: set[str] = set()
    globs = {path: expand(root, path, graph.producers) for path in wanted if is_glob(path)}
    for pattern, found in globs.items():
        paths[pattern] = LISTED if found else None
        wanted |= dict.fromkeys(found)
    if web := [path for path in wanted if "://" in path]:
        from mlops_cli.pipeline.planning.web import noted, now

        paths |= now(web, noted((locks or {}).values()), refresh=refresh)
    for path in wanted:
        if path in paths:
            continue
        paths[path] = digest_at(root, path, stats=stats, store=store)
        if paths[path] is None and (pointed := _pointer(root, path)):
            paths[path] = pointed
            absent.add(path)
    return World(
        paths,
        environment(root, graph.env, python=python, cache=parsed),
        _params(root, steps, parsed),
        _code(root, [step for step in steps if step.code], parsed),
        {name: variable(environ.get(name)) for step in steps for name in step.variables},
        absent,
        {
            step.name: environment(root, step.environment, python=python, cache=parsed)
            for step in steps
            if step.environment
        },
        globs,
    )


def digest_at(root: Path, path: str, *, stats: StatCache | None, store: Cache | None) -> str | None:
    """Return the digest of what is at `path`, None when nothing is."""
    target = os.fspath(root / path)
    try:
        found = os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISREG(found.st_mode) and found.st_size <= SMALL:
        with open(target, "rb") as file:
            return "sha256:" + hashlib.sha256(file.read()).hexdigest()
    from mlops_cli.store.files.ingest import fingerprint
    from mlops_cli.workspace.ignore import ignored_in

    ignored = ignored_in(root, path) if stat.S_ISDIR(found.st_mode) else None
    return str(fingerprint(Path(target), stats=stats, ignored=ignored, cache=store).digest)


def _code(root: Path, steps: list[Step], parsed: Path | None) -> dict[str, Mapping[str, Any]]:
    if not steps:
        return {}
    from mlops_cli.pipeline.keys.code import closure  # commands have none that mlops knows

    return {step.name: closure(root, step.code, cache=parsed) for step in steps}


def _params(root: Path, steps: list[Step], parsed: Path | None) -> dict[str, Any]:
    references = dict.fromkeys(ref for step in steps for ref in step.params)
    try:
        return read_params(root, references, cache=parsed)
    except (ConfigError, NotFound) as error:
        if "line" in error.details:
            raise  # a malformed file says itself where
        for step in steps:
            if error.details.get("reference") in step.params:
                from mlops_cli.pipeline.graph.reading import place_of_step

                place = place_of_step(root, step.name)
                raise type(error)(
                    f"{place}: step {step.name}: {error.message}",
                    code=error.code,
                    hint=error.hint,
                    details={**error.details, "step": step.name},
                ) from error
        raise


def variable(value: str | None) -> str | None:
    """Return what a lock may say of a variable: a digest, as the value may be private."""
    return None if value is None else "sha256:" + hashlib.sha256(value.encode()).hexdigest()


def _pointer(root: Path, path: str) -> str | None:
    """Return the digest that `path.mlops` names, for tracked data that is not checked out."""
    if not (root / f"{path}.mlops").is_file():
        return None
    from mlops_cli.workspace.pointer import read_pointer

    return str(read_pointer(root, f"{path}.mlops").digest)
