"""What the ledger is told of each attempt: one record, whatever became of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError
from mlops_cli.ledger.record import Code, Record, record, timestamp
from mlops_cli.pipeline.keys import code, params
from mlops_cli.pipeline.planning.plan import Item
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.pipeline.traces.marker import Marker

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Account:
    """How an attempt went, beside what its plan and lock say."""

    status: str  # done | failed | cached | killed
    began: datetime
    seconds: float
    lock: Lock | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    log: str | None = None  # digest
    error: MlopsError | None = None
    tried: int = 1  # which try of this run it was
    left: tuple[str, ...] = ()  # processes that outlived the step
    python: Path | None = None  # the interpreter of an environment of the step's own
    found: Mapping[str, Any] = field(default_factory=dict)  # what its process told of itself
    beside: tuple[str, ...] = ()  # what it touched in a sandbox that it did not declare
    logged: Mapping[str, Any] = field(default_factory=dict)  # of live: series, logged, artifacts


class Teller:
    """Makes the records of one run; what all of them share is looked up once, when first needed."""

    def __init__(
        self,
        git: Git,
        now: Clock,
        parents: tuple[str, ...],
        keep: Callable[[bytes], str] | None = None,
    ) -> None:
        self._git, self._now, self._parents, self._keep = git, now, parents, keep
        self.run_id = f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self._environments: dict[tuple[str, Path | None], dict[str, Any]] = {}

    @cached_property
    def actor(self) -> str:
        """Who runs this, as git knows them."""
        return str(self._git.identity())

    @cached_property
    def code(self) -> Code:
        """The commit, and what differed from it when the first step began."""
        from mlops_cli.ledger.code import code_now

        return code_now(self._git, self._keep)

    def environment(self, part: Mapping[str, str], python: Path | None = None) -> dict[str, Any]:
        """Return what is told of the environment whose part in keys is `part`; `python` is the
        interpreter where it is not that of mlops."""
        name = str(sorted(part.items())), python
        if name not in self._environments:
            from mlops_cli.pipeline.keys.environment import told

            self._environments[name] = told(part, python)
        return self._environments[name]

    def record(self, item: Item, account: Account) -> Record:
        """Return the record of an attempt at `item`."""
        assert item.key is not None
        parts, lock, error = item.key.parts, account.lock, account.error
        facts = dict(lock.facts) if lock else {}
        if account.kept:
            facts["kept"] = dict(account.kept)
        if account.tried > 1:
            facts["try"] = account.tried
        if account.left:
            facts["left"] = list(account.left)
        if account.beside:
            facts["undeclared"] = list(account.beside)
        return record(
            "run",
            time=self._now(),
            actor=self.actor,
            code=self.code,
            run=self.run_id,
            parents=self._parents,
            step=item.step.name,
            step_kind=item.step.kind,
            key=item.key.digest,
            status=account.status,
            started=timestamp(account.began),
            seconds=round(account.seconds, 3),
            inputs=dict(parts.get("inputs", {})),
            sources={file: code.digest(units) for file, units in parts.get("code", {}).items()},
            outputs={path: out.digest for path, out in lock.outputs.items()} if lock else {},
            params=_flat(parts.get("params", {})),
            metrics=dict(lock.metrics if lock else _missed(error)),
            facts=facts,
            environment={
                **self.environment(parts["environment"], account.python),
                **account.found,
            },
            log=account.log,
            **_promise(item.step),
            **_plots(item.step, lock),
            error={"code": error.code, "message": error.message} if error else None,
            because=[reason.sentence() for reason in item.because],
            **account.logged,
        )

    def finished(self, left: Marker, lock: Lock) -> Record:
        """Return the record of an attempt that ended well and whose mlops was killed then."""
        assert left.finished is not None
        return self._left(
            left,
            status="done",
            seconds=round(left.finished.seconds, 3),
            outputs={path: out.digest for path, out in lock.outputs.items()},
            metrics=dict(lock.metrics),
            facts=dict(lock.facts),
            environment=self.environment(lock.parts["environment"]),
            because=["mlops was killed before it could write down what it had made"],
        )

    def killed(self, left: Marker) -> Record:
        """Return the record of an attempt whose mlops was killed; only its marker is left."""
        return self._left(
            left,
            status="killed",
            seconds=None,
            outputs={},
            metrics={},
            facts={},
            environment=None,
            error={"code": "interrupted", "message": "mlops was killed while it ran"},
        )

    def _left(self, left: Marker, **fields: Any) -> Record:
        """Return the record of an attempt that another process began, as its marker tells it."""
        return record(
            "run",
            time=self._now(),
            actor=self.actor,
            run=left.run,
            step=left.step,
            step_kind=left.kind,
            key=left.key,
            started=left.started,
            inputs=dict(left.inputs),
            params=_flat(left.params),
            log=None,
            **fields,
        )


def _missed(error: MlopsError | None) -> Mapping[str, float]:
    """Return the metrics of an attempt that ended well and missed its goal."""
    return error.details["metrics"] if error and error.code == "goal-missed" else {}


def _plots(step: Step, lock: Lock | None) -> dict[str, Any]:
    """Return the plots among the outputs by path, as far as there are any."""
    if lock is None or not step.plots:
        return {}
    return {"plots": {path: lock.outputs[path].digest for path in step.plots}}


def _promise(step: Step) -> dict[str, str]:
    """Return what a reproduction may ask of the step, where that is not the same bytes."""
    return {} if step.determinism == "exact" else {"determinism": step.determinism}


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for ref, part in given.items() for name, value in params.flat(ref, part).items()
    }
