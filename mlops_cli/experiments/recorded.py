"""What was recorded of a run, a version or a commit: what a reproduction has to come out as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError, NotFound, StateRefused
from mlops_cli.experiments.why import locked
from mlops_cli.ledger import query
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.traces import lock as locks

if TYPE_CHECKING:
    from mlops_cli.ledger.index import Index
    from mlops_cli.vcs.repo import Git

_DONE = ("done", "cached")


@dataclass(frozen=True, slots=True)
class Expected:
    """What one step made; `parts` of its key and `environment` where they are known."""

    key: str
    outputs: Mapping[str, str]  # path → digest
    metrics: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `of` means: the commit that it was made from, and what its steps made."""

    of: str
    commit: str
    run: str | None
    steps: Mapping[str, Expected]
    patch: str | None = None  # digest of what differed from the commit
    dirty: tuple[str, ...] = ()


def recorded(git: Git, index: Index, word: str) -> Recorded:
    """Return what `word` stands for: a run, the tag of a version, any commit.

    Raises NotFound ("unknown-run", "nothing-recorded"), StateRefused ("nothing-done"),
    UsageError ("ambiguous-run").
    """
    run = _run(index, word)
    if run is not None:
        return _of_run(git, index, run)
    try:
        commit = git.rev_parse(word)
    except NotFound as exc:
        raise NotFound(
            f"there is no run and no commit {word!r}",
            code="unknown-run",
            hint="mlops runs list, mlops models list, git log --oneline",
        ) from exc
    steps = _locked_at(git, index, commit)
    if not steps:
        raise NotFound(
            f"no step has a lock at {word}, so there is nothing to compare with",
            code="nothing-recorded",
            hint="mlops run, and name the commit that it makes",
        )
    return Recorded(word, commit, None, steps)


def _run(index: Index, word: str) -> query.Run | None:
    try:
        return query.run(index, word)
    except NotFound:
        pass
    try:
        record = query.record(index, word)
    except MlopsError:
        return None
    return query.Run(str(record["run"]), (record,)) if record.kind == "run" else None


def _of_run(git: Git, index: Index, run: query.Run) -> Recorded:
    done = [record for record in run.records if record["status"] in _DONE]
    code = next((record["code"] for record in done if record["code"]), None)
    if not done or code is None or not code["commit"]:
        raise StateRefused(
            f"the run {run.id} made nothing that could come out the same: it is {run.status}",
            code="nothing-done",
            hint="mlops runs list names those that are done",
        )
    commit = git.rev_parse(code["commit"])
    # what it did not run stood as the locks of the commit said
    before = _locked_at(git, index, commit)
    steps = {str(record["step"]): _of_record(git, record) for record in done}
    dirty = tuple(path for path in code["dirty"] if not path.startswith(".mlops/"))
    return Recorded(run.id, commit, run.id, before | steps, code.get("patch"), dirty)


def _of_record(git: Git, record: Record) -> Expected:
    lock = locked(git, record)
    return Expected(
        str(record["key"]),
        dict(record["outputs"]),
        dict(record["metrics"] or {}),
        lock.parts if lock else None,
        record["environment"],
    )


def _locked_at(git: Git, index: Index, commit: str) -> dict[str, Expected]:
    return {
        step: Expected(
            lock.key,
            {path: out.digest for path, out in lock.outputs.items()},
            lock.metrics,
            lock.parts,
            _environment(index, lock),
        )
        for step, lock in locks.read_locks_at(git, commit).items()
    }


def _environment(index: Index, lock: locks.Lock) -> Mapping[str, Any] | None:
    """Return in which environment what the lock says was made, as the ledger tells it."""
    outputs = {path: out.digest for path, out in lock.outputs.items()}
    for record in index.newest("run", step=lock.step, status="done"):
        if record["key"] == lock.key and record["outputs"] == outputs:
            environment: Mapping[str, Any] | None = record["environment"]
            return environment
    return None
