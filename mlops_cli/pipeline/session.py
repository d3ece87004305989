"""The middle of a run: steps started as their inputs are ready, their results taken one by one."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, OutsideWorld
from mlops_cli.ledger.record import timestamp
from mlops_cli.pipeline import marker, process
from mlops_cli.pipeline.attempt import Done, Order, attempt, check_params, inherited
from mlops_cli.pipeline.conclude import Deeds, ignore_outputs, shown
from mlops_cli.pipeline.lock import Lock
from mlops_cli.pipeline.look import digest_at
from mlops_cli.pipeline.plan import UNKNOWN, Item, forget_parts, judge, partial
from mlops_cli.pipeline.restore import keep_all, restore
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.settle import Settling
from mlops_cli.pipeline.tell import Account, Teller
from mlops_cli.progress import Progress, Task

if TYPE_CHECKING:
    from mlops_cli.pipeline.parts import RunParts
    from mlops_cli.pipeline.prospect import Prospect

LOGS = ".mlops/logs"
PATIENCE = 0.5  # seconds after which results that wait are looked at again


@dataclass(slots=True)
class Session:
    """One run under way. The main thread decides and writes; a thread a step waits for a child."""

    parts: RunParts
    found: Prospect
    now: Clock
    progress: Progress
    settling: Settling
    teller: Teller
    deeds: Deeds = field(default_factory=Deeds)
    items: dict[str, Item] = field(default_factory=dict)  # as it was decided in the end
    ignored: list[str] = field(default_factory=list)  # .gitignore files that changed
    _groups: process.Groups = field(default_factory=process.Groups)
    _done: queue.SimpleQueue[Done | BaseException] = field(default_factory=queue.SimpleQueue)
    _paths: dict[str, str | None] = field(default_factory=dict)  # digests as they are by now
    _partial: frozenset[str] = frozenset()
    _kept: dict[str, dict[str, str]] = field(default_factory=dict)
    _errors: list[MlopsError] = field(default_factory=list)

    def carry_out(self, *, jobs: int, keep_going: bool) -> MlopsError | None:
        """Do what the plan says; return the error of the first step that failed."""
        found = self.found
        self._paths = dict(found.world.paths)
        self._partial = partial(found.graph, self._paths)
        planned = {item.step.name: item for item in found.plan.items}
        stale = [item.step for item in planned.values() if item.stale]
        self.ignored = ignore_outputs(self.parts.git, self.parts.root, stale)
        first = {name: [n for n in found.graph.before[name] if n in planned] for name in planned}
        missing = {name: len(before) for name, before in first.items()}
        ready = deque(name for name, count in missing.items() if count == 0)
        running = 0

        def free(name: str) -> None:
            for later in found.graph.after.get(name, ()):
                if later in planned:
                    missing[later] -= 1
                    if missing[later] == 0:
                        ready.append(later)

        with self.progress.task("run", total=len(stale), unit="steps") as task:
            try:
                while ready or running:
                    while ready and running < jobs and (keep_going or not self._errors):
                        name = ready.popleft()
                        if self._begin(planned[name], [self.items[one] for one in first[name]]):
                            running += 1
                        else:
                            task.advance(int(planned[name].stale))
                            free(name)
                    if not running:
                        break
                    if (done := self._next()) is not None:
                        running -= 1
                        if self._settle(done, task):
                            free(done.order.step.name)
                    if self.settling.due:
                        self.settling.flush()
            except BaseException:
                self._stop(running, task)
                raise
        return self._errors[0] if self._errors else None

    def _begin(self, planned: Item, first: list[Item]) -> bool:
        """Decide about a step whose inputs are ready; return whether a child was started."""
        item = self._decided(planned, first)
        self.items[item.step.name] = item
        if not item.stale or (item.action == "restore" and self._restore(item)):
            return False
        self.items[item.step.name] = item = replace(item, action="run")
        self._start(item)
        return True

    def _decided(self, planned: Item, first: list[Item]) -> Item:
        """Return the plan for a step once all before it are done: it may turn out unchanged."""
        if planned.key is not None and not any(one.stale for one in first):
            return planned
        step = planned.step
        for path in {*step.deps, *step.outs}:
            if self._paths.get(path) == UNKNOWN or path in self._partial:
                self._paths[path] = self._digest(path)
        codes = {reason.code for reason in planned.because}
        item = judge(
            step,
            self.found.locks.get(step.name),
            self._paths,
            self.found.world,
            recall=self.found.recall,
            forced="forced" in codes,
            interrupted="interrupted" in codes,
        )
        if planned.stale and not item.stale:
            self.deeds.did[step.name] = "unchanged"
            self.progress.say(f"{step.name} is unchanged: its inputs came out the same.")
        return item

    def _digest(self, path: str) -> str | None:
        return digest_at(self.parts.root, path, stats=self.parts.stats, store=self.parts.cache)

    def _now(self, path: str) -> str | None:
        known = self._paths.get(path)
        return self._digest(path) if known in (None, UNKNOWN) else known

    def _restore(self, item: Item) -> bool:
        """Bring outputs back from the cache; False when an object is missing or damaged."""
        assert item.seen is not None and item.key is not None
        parts, seen, name = self.parts, item.seen, item.step.name
        began = self.now()
        there = {path: self._digest(path) for path in seen.outputs}
        try:
            kept = restore(parts.root, seen.outputs, there, cache=parts.cache, stats=parts.stats)
        except (NotFound, IntegrityError) as problem:
            self.progress.say(f"{name} cannot be restored and runs: {problem.message}.")
            return False
        self._tell_kept(kept)
        lock = Lock(name, item.key.digest, item.key.parts, seen.outputs, seen.metrics, seen.facts)
        account = Account("cached", began, 0.0, lock, kept)
        self._result(item, lock, account, "restored")
        self.progress.say(f"{name} restored from the run cache.")
        return True

    def _start(self, item: Item) -> None:
        """Start a thread that runs the step; its former outputs are safe in the cache first."""
        step, root = item.step, self.parts.root
        assert item.key is not None
        given = {ref: self.found.world.params[ref] for ref in step.params}
        check_params(step, given)
        there = {out: os.path.lexists(root / out) for out in step.outs}
        lock = self.found.locks.get(step.name)
        now = {out: self._now(out) for out, present in there.items() if present}
        kept = keep_all(root, now, lock, cache=self.parts.cache, stats=self.parts.stats)
        self._kept[step.name] = kept
        self._tell_kept(kept)
        order = Order(
            step,
            marker.of(item.key, step, self.teller.run_id, timestamp(self.now()), there),
            root,
            root / LOGS / self.teller.run_id / f"{step.name}.log",
            given,
            inherited(self.parts.environ, self.parts.python),
            self.parts.python,
        )
        threading.Thread(target=self._attempt, args=(order,), name=step.name, daemon=True).start()

    def _attempt(self, order: Order) -> None:
        """Run in the thread of a step: whatever happens, one answer is put into the queue."""
        try:
            self._done.put(attempt(order, self._groups, self.now))
        except OSError as exc:
            marker.put_back(order.root, order.marker)
            error = OutsideWorld(
                f"step {order.step.name} cannot run: {exc}",
                code="cannot-run",
                hint="mend it and run the same command again",
            )
            self._done.put(Done(order, 0.0, error=error))
        except BaseException as problem:  # our bug; the main thread raises it
            self._done.put(problem)

    def _next(self) -> Done | None:
        try:
            done = self._done.get(timeout=PATIENCE)
        except queue.Empty:
            return None
        if isinstance(done, BaseException):
            raise done
        return done

    def _settle(self, done: Done, task: Task) -> bool:
        """Take what an attempt left: outputs on their way into the cache, or its error."""
        name, error = done.order.step.name, done.error
        item = self.items[name]
        assert item.key is not None
        task.advance()
        self.deeds.seconds[name] = done.seconds
        account = Account(
            "done",
            datetime.fromisoformat(done.order.marker.started),
            done.seconds,
            kept=self._kept.pop(name, {}),
            log=self._log(done.order.log),
        )
        if error is None:
            try:
                outputs = {out: self.settling.store(out) for out in done.order.step.outs}
            except MlopsError as problem:
                marker.put_back(self.parts.root, done.order.marker)
                error = problem
            else:
                outcome = done.outcome
                metrics, facts = dict(outcome.metrics), dict(outcome.facts)
                lock = Lock(name, item.key.digest, item.key.parts, outputs, metrics, facts)
                self._result(item, lock, replace(account, lock=lock), "ran")
                self.progress.say(f"{name} done in {done.seconds:.1f} s{shown(metrics)}.")
                return True
        status = "killed" if done.killed else "failed"
        told = self.teller.record(item, replace(account, status=status, error=error))
        self.settling.record(name, told)
        self.deeds.failed.append(name)
        self._errors.append(error)
        self.progress.say(f"{name} {status} after {done.seconds:.1f} s.")
        return False

    def _result(self, item: Item, lock: Lock, account: Account, what: str) -> None:
        name = item.step.name
        self._paths |= {path: out.digest for path, out in lock.outputs.items()}
        forget_parts(self._paths, self._partial, item.step)
        self.settling.result(lock, self.teller.record(item, account))
        self.deeds.did[name], self.deeds.metrics[name] = what, lock.metrics
        self.deeds.seconds.setdefault(name, 0.0)

    def _log(self, path: Path) -> str | None:
        words = path.read_bytes() if path.exists() else b""
        return self.settling.put(words) if words else None

    def _tell_kept(self, kept: Mapping[str, str]) -> None:
        for path, digest in kept.items():
            self.progress.say(f"{path} was changed by hand; the cache keeps it as {digest}")

    def _stop(self, running: int, task: Task) -> None:
        """End what runs, take back its half-written outputs, and record it as killed."""
        self._groups.stop()
        for _ in range(running):
            try:
                done = self._done.get(timeout=process.GRACE)
            except queue.Empty:
                break  # its marker stays, and the next run puts its outputs back
            if isinstance(done, Done):
                self._settle(done, task)
