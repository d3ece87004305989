"""A result brought into the work tree: its params, its locks, its outputs; nobody's bytes lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.experiments import params as files
from mlops_cli.experiments import snapshot
from mlops_cli.experiments.place import fetch
from mlops_cli.experiments.why import locked
from mlops_cli.ledger.query import Run
from mlops_cli.pipeline.keys.params import flat, read_params
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.progress import SILENT, Progress
from mlops_cli.workspace.tracked import Tracked, parsed

if TYPE_CHECKING:
    from mlops_cli.project import Project
    from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Applied:
    """What is brought: params as (file:key → old, new), locks and outputs that differ here."""

    run: str
    params: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    locks: tuple[str, ...] = ()
    outputs: tuple[Tracked, ...] = ()
    written: Mapping[str, bytes] = field(default_factory=dict)  # path → what it will hold


def plan(project: Project, run: Run) -> Applied:
    """Return what bringing the result of `run` changes here.

    Raises NotFound ("no-result" where git does not have it), StateRefused ("unsaved-bytes").
    """
    found = {
        str(record["step"]): lock
        for record in run.records
        if record["status"] in ("done", "cached") and (lock := _lock(project.git, run.id, record))
    }
    if not found:
        raise NotFound(
            f"git does not have what the run {run.id} made",
            code="no-result",
            hint="git fetch REMOTE 'refs/mlops/experiments/*:refs/mlops/experiments/*'",
        )
    given = {ref: value for lock in found.values() for ref, value in _params(lock).items()}
    changed, written = _edited(project.root, given)
    texts = {lock.path: readable_json(locks.as_json(lock)).encode() for lock in found.values()}
    fresh = {path: data for path, data in texts.items() if _bytes(project.root, path) != data}
    base = next((one["experiment"]["base"] for one in run.records if one["experiment"]), "HEAD")
    _refuse_unsaved(project.git, base, [*fresh, *written])
    outputs = sorted(
        (one for path, data in texts.items() for one in parsed(data, path)),
        key=lambda one: one.path,
    )
    return Applied(run.id, changed, tuple(fresh), tuple(outputs), {**fresh, **written})


def carry_out(
    project: Project, applied: Applied, *, now: datetime, progress: Progress = SILENT
) -> None:
    """Write what was planned: outputs first, then locks and params.

    Raises StateRefused ("unsaved-bytes") before anything is written where an output that stands
    here is in no cache, and what a fetch raises.
    """
    from mlops_cli.workspace import checkout

    fetch(project, applied.outputs, now=now, progress=progress)
    steps = checkout.plan_checkout(
        project.root, list(applied.outputs), cache=project.cache, stats=project.stats
    )
    link = str(project.settings.get("cache.link"))
    checkout.carry_out(steps, link=link, progress=progress)  # type: ignore[arg-type]
    for path, data in applied.written.items():
        fsio.write_atomic(project.root / path, data)


def _lock(git: Git, run: str, record: Any) -> locks.Lock | None:
    commit = snapshot.kept(git, run)
    data = git.show(commit, locks.path_of(str(record["step"]))) if commit else None
    if data is None:
        return locked(git, record)
    lock = locks.read_lock(data, step=str(record["step"]))
    return lock if lock.key == record["key"] else None


def _params(lock: locks.Lock) -> dict[str, Any]:
    """Return "file:dotted.key" → value of all single values that the step read."""
    found: dict[str, Any] = {}
    for reference, value in lock.parts.get("params", {}).items():
        file = reference.partition(":")[0]
        found |= {f"{file}:{key}": one for key, one in flat(reference, value).items()}
    return found


def _edited(
    root: Path, given: Mapping[str, Any]
) -> tuple[dict[str, tuple[Any, Any]], dict[str, bytes]]:
    now = read_params(root, given)
    changed = {ref: (now[ref], value) for ref, value in given.items() if now[ref] != value}
    written: dict[str, bytes] = {}
    for reference, (_, value) in changed.items():
        file, _, key = reference.partition(":")
        data = written.get(file) or (root / file).read_bytes()
        written[file] = files.edited(data, {key: value}, file=file)
    return changed, written


def _refuse_unsaved(git: Git, base: str, paths: Sequence[str]) -> None:
    """Raise where a file that would be written over stands neither in HEAD nor in `base`, the
    work tree with which the experiment began."""
    dirty = git.dirty(paths) if paths else []
    unsaved = [path for path in dirty if git.show(base, path) != _bytes(git.root, path)]
    if unsaved:
        raise StateRefused(
            f"{unsaved[0]} is not committed, and would be written over",
            code="unsaved-bytes",
            hint="commit or stash it, and give the same command again",
            details={"paths": unsaved},
        )


def _bytes(root: Path, path: str) -> bytes | None:
    try:
        return (root / path).read_bytes()
    except OSError:
        return None
