"""What attempts left, taken one by one: outputs on their way into the cache, or their error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mlops_cli import live
from mlops_cli.errors import MlopsError, StateRefused, StepFailed
from mlops_cli.ledger import redact
from mlops_cli.pipeline.attempts import reached, retry
from mlops_cli.pipeline.attempts.errand import Done
from mlops_cli.pipeline.model.steps import TRIES
from mlops_cli.pipeline.planning.plan import Item
from mlops_cli.pipeline.running.conclude import Deeds, shown
from mlops_cli.pipeline.running.settle import Settling
from mlops_cli.pipeline.running.sight import Sight
from mlops_cli.pipeline.running.tell import Account, Teller
from mlops_cli.pipeline.traces import marker
from mlops_cli.pipeline.traces.holding import Held
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.progress import Progress

What = Literal["ran", "restored"]


@dataclass(slots=True)
class Results:
    """Writes down what steps did: into locks, cache and ledger, and for the summary of the run."""

    root: Path
    sight: Sight
    settling: Settling
    teller: Teller
    progress: Progress
    deeds: Deeds = field(default_factory=Deeds)
    errors: list[MlopsError] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)  # step → attempts that ended
    spent: dict[str, float] = field(default_factory=dict)  # step → seconds of those that failed

    def take(self, done: Done, item: Item, kept: Mapping[str, str], *, last: bool) -> float | None:
        """Take what an attempt left; return the seconds after which to try again, or None.

        None with the step among `deeds.failed` is a failure for good; `last` allows no other try.
        """
        name, error = item.step.name, done.error
        assert item.key is not None
        self.tries[name] = tried = self.tries.get(name, 0) + 1
        self.deeds.seconds[name] = done.seconds
        began = datetime.fromisoformat(done.order.marker.started)
        log = self._log(done.order.log)
        room = done.order.room
        python = Path(room.python) if room and room.folder else None
        account = Account(
            "done", began, done.seconds, kept=kept, log=log, left=done.left, python=python
        )
        account = replace(account, tried=tried, logged=self._logged(done.order.live))
        for words in done.left:
            self.progress.say(f"{name} left a process behind, which was ended: {words}")
        if done.outcome.found:
            account = replace(account, found=done.outcome.found)
        if done.beside:
            self.progress.say(f"{name} did what it does not declare: {', '.join(done.beside)}.")
            account = replace(account, beside=done.beside)
        if error is None and (edited := self.sight.edited(item.step, item.key.parts)):
            marker.put_back(done.order.held, done.order.marker)
            error = _edited(name, edited)
        if error is None:
            try:
                outputs = {
                    out: self.settling.output(out, item.step.keeping) for out in item.step.outs
                }
            except MlopsError as problem:
                marker.put_back(done.order.held, done.order.marker)
                error = problem
            else:
                outcome = done.outcome
                metrics, facts = dict(outcome.metrics), dict(outcome.facts)
                lock = Lock(name, item.key.digest, item.key.parts, outputs, metrics, facts)
                self.made(item, lock, replace(account, lock=lock), "ran", done.order.held)
                self.progress.say(f"{name} done in {done.seconds:.1f} s{shown(metrics)}.")
                return None
        status = "killed" if done.killed else "failed"
        told = self.teller.record(item, replace(account, status=status, error=error))
        self.settling.record(name, told)
        step, missed = item.step, reached.MISSED in done.failure
        self.spent[name] = spent = self.spent.get(name, 0.0) + done.seconds
        pause = None if last or done.killed else retry.pause(step.retries, tried, done.failure)
        if missed and not last and reached.again(step.until, tried, spent):
            pause = 0.0
        how = f"{name} {status} after {done.seconds:.1f} s"
        if pause is not None:
            most = step.until.get("tries", TRIES) if missed else step.retries["times"] + 1
            more = f"try {tried + 1} of {most} in {pause:g} s"
            self.progress.say(f"{how} ({done.failure[0]}); {more}.")
            return pause
        self.deeds.failed.append(name)
        self.errors.append(error)
        self.progress.say(f"{how}.")
        return None

    def lacking(self, item: Item) -> None:
        """Take note that a step cannot run: none before it made what it reads."""
        name = item.step.name
        gone = [reason.sentence() for reason in item.because if reason.code == "input-missing"]
        self.errors.append(
            StepFailed(
                f"step {name} cannot run: {'; '.join(gone) or 'what it reads is not there'}",
                code="input-not-made",
                hint=f"correct deps: of {name}, or what the steps before it write",
                details={"step": name},
            )
        )
        self.deeds.failed.append(name)
        self.progress.say(f"{name} cannot run.")

    def made(self, item: Item, lock: Lock, account: Account, what: What, held: Held) -> None:
        """Take the outputs of a step, which stand at their places."""
        name = item.step.name
        self.sight.made(item.step, lock)
        told = self.teller.record(item, account)
        self.settling.result(lock, told, held, restored=what == "restored")
        self.deeds.did[name], self.deeds.metrics[name] = what, lock.metrics
        self.deeds.seconds.setdefault(name, 0.0)

    def _logged(self, folder: Path) -> dict[str, Any]:
        """Keep what the step logged while it ran; return how the record names it."""
        lines, _ = redact.data(live.read(folder))
        found: dict[str, Any] = {}
        if lines:
            found["series"] = self.settling.put(lines)
            found["logged"] = dict(live.parse(lines).params)
        if (folder / live.ARTIFACTS).is_dir():
            place = (folder / live.ARTIFACTS).relative_to(self.root)
            found["artifacts"] = self.settling.store(place.as_posix()).digest
        return found

    def _log(self, path: Path) -> str | None:
        words, gone = redact.data(path.read_bytes() if path.exists() else b"")
        if gone:
            path.write_bytes(words)
            self.progress.say(f"{path.name} showed what looks like a secret: {', '.join(gone)}.")
        return self.settling.put(words) if words else None


def _edited(step: str, paths: list[str]) -> StateRefused:
    return StateRefused(
        f"{', '.join(paths)} changed while step {step} ran, which reads it",
        code="input-changed",
        hint="run the same command again; a step that writes to its inputs should write an output",
        details={"step": step, "paths": paths},
    )
