"""The middle of a run: steps started as their inputs are ready, their results taken one by one."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, MlopsError, NotFound, OutsideWorld
from mlops_cli.ledger.record import timestamp
from mlops_cli.pipeline import leftover, marker, outs, process, ready
from mlops_cli.pipeline.attempt import Done, Order, attempt, check_params, inherited
from mlops_cli.pipeline.holding import Held, Holder, live
from mlops_cli.pipeline.lock import Lock
from mlops_cli.pipeline.plan import Item
from mlops_cli.pipeline.recover import put_right
from mlops_cli.pipeline.restore import keep_all, restore
from mlops_cli.pipeline.results import Results
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.slots import Slots, Taken
from mlops_cli.pipeline.tell import Account
from mlops_cli.progress import Progress, Task, Working

if TYPE_CHECKING:
    from mlops_cli.pipeline.parts import RunParts
    from mlops_cli.pipeline.prospect import Prospect

LOGS = ".mlops/logs"
PATIENCE = 0.5  # seconds after which results that wait are looked at again
ELSEWHERE = 0.05  # seconds after which a step that another run has is asked for again


@dataclass(frozen=True, slots=True)
class _Running:
    """An attempt under way, and what it holds."""

    order: Order
    item: Item
    taken: Taken
    kept: Mapping[str, str]
    began: float


@dataclass(slots=True)
class Session:
    """One run under way. The main thread decides and writes; a thread a step waits for a child."""

    parts: RunParts
    found: Prospect
    now: Clock
    progress: Progress
    results: Results
    slots: Slots
    holder: Holder
    seconds: Mapping[str, float]  # what steps took the last time
    boxed: bool = False  # whether commands run in sandboxes
    warm: str | None = None  # modules that a process imports once for all Python steps
    items: dict[str, Item] = field(default_factory=dict)  # as it was decided in the end
    _running: dict[str, _Running] = field(default_factory=dict)
    _groups: process.Groups = field(default_factory=process.Groups)
    _orders: queue.SimpleQueue[Order | None] = field(default_factory=queue.SimpleQueue)
    _done: queue.SimpleQueue[Done | BaseException] = field(default_factory=queue.SimpleQueue)
    _threads: list[threading.Thread] = field(default_factory=list)  # one a step that runs
    _environ: dict[str, str] = field(default_factory=dict)  # what commands inherit
    _planned: dict[str, Item] = field(default_factory=dict)
    _missing: dict[str, int] = field(default_factory=dict)  # step → inputs that are not ready
    _full: list[str] = field(default_factory=list)  # steps that wait for what others hold
    _told: set[str] = field(default_factory=set)  # steps of which was said that they wait

    def carry_out(self, *, jobs: int, keep_going: bool) -> MlopsError | None:
        """Do what the plan says; return the error of the first step that failed."""
        graph = self.found.graph
        self._environ = inherited(self.parts.environ, self.parts.python)
        self._planned = {item.step.name: item for item in self.found.plan.items}
        next_ = ready.Queue(ready.ways(graph, self._planned.keys(), self.seconds))
        for name in self._planned:
            self._missing[name] = sum(one in self._planned for one in graph.before[name])
            if not self._missing[name]:
                next_.put(name)
        stale = sum(item.stale for item in self._planned.values())
        if stale:
            fsio.make_folder(self.parts.root / LOGS / self._run_id)
        with self.progress.task("run", total=stale, unit="steps") as task:
            task.watch(self.working)
            try:
                while next_ or self._running:
                    stopped = bool(self.results.errors) and not keep_going
                    if not stopped:
                        self._begin_ready(next_, jobs, task)
                    elif not self._running:
                        break
                    full = stopped or len(self._running) >= jobs
                    self._take_one(next_, task, full=full, keep_going=keep_going)
            except BaseException:
                self._stop()
                raise
            finally:
                if self._groups.warm:
                    self._groups.warm.close()
                for _ in self._threads:
                    self._orders.put(None)
        for one in leftover.end(lambda attempt: attempt.startswith(f"{self._run_id}/")):
            self.progress.say(
                f"{one.step} left a process behind, which was ended: {one.words} (pid {one.pid})"
            )
        return self.results.errors[0] if self.results.errors else None

    def working(self) -> list[Working]:
        """Return the steps that run now; another thread may ask."""
        now = time.monotonic()
        return [
            Working(name, now - one.began, self.seconds.get(name), tail[-1] if tail else "")
            for name, one in list(self._running.items())
            for tail in (one.order.tail,)
        ]

    @property
    def _run_id(self) -> str:
        return self.results.teller.run_id

    def _begin_ready(self, next_: ready.Queue, jobs: int, task: Task) -> None:
        """Begin the steps that may begin now, those with the longest way to go first."""
        while len(self._running) < jobs:
            name = next_.take(time.monotonic())
            if name is None:
                break
            began = self._begin(self._planned[name])
            if began is False:
                task.advance(int(self._planned[name].stale))
                self._free(name, next_)
            elif began is None and name not in self._full:
                next_.put_later(name, time.monotonic() + ELSEWHERE)

    def _take_one(self, next_: ready.Queue, task: Task, *, full: bool, keep_going: bool) -> None:
        """Wait a while for an attempt to end, and take what it left."""
        moment = None if full else next_.next_moment()
        wait = PATIENCE if moment is None else max(0.0, min(PATIENCE, moment - time.monotonic()))
        if self._running or len(next_):
            try:
                done = self._done.get(timeout=wait)
            except queue.Empty:
                done = None
            if isinstance(done, BaseException):
                raise done
            if done is not None:
                name = done.order.step.name
                last = bool(self.results.errors) and not keep_going
                pause = self._settle(done, last=last)
                for waiting in self._full:
                    next_.put(waiting)
                self._full.clear()
                if pause is not None:
                    next_.put_later(name, time.monotonic() + pause)
                else:
                    task.advance()
                    if name not in self.results.deeds.failed:
                        self._free(name, next_)
        if self.results.settling.due:
            self.results.settling.flush()

    def _free(self, name: str, next_: ready.Queue) -> None:
        for later in self.found.graph.after.get(name, ()):
            if later in self._planned:
                self._missing[later] -= 1
                if self._missing[later] == 0:
                    next_.put(later)

    def _begin(self, planned: Item) -> bool | None:
        """Decide about a step whose inputs are ready; return whether a child was started, None
        when it has to wait: for another run that has the step, or for what others hold."""
        name = planned.step.name
        item = self.items[name] = self._decided(planned)
        if not item.stale:
            return False
        held = self._claim(item)
        if held is None:
            if name not in self._told:
                self._told.add(name)
                self.progress.say(f"{name} waits for another mlops run.")
            return None
        mine = self.results.deeds.did
        if self.results.sight.changed_by_others(item.step, mine):
            item = self.items[name] = self.results.sight.judge(planned)
            if not item.stale:
                self.holder.release(held)
                mine[name] = "shared"
                self.progress.say(f"{name} was made by another run.")
                return False
        if item.action == "restore" and self._restore(item, held):
            return False
        taken = self.slots.take(item.step)
        if taken is None:
            self.holder.release(held)
            if self._running:
                self._full.append(name)
            return None
        self.items[name] = item = replace(item, action="run")
        try:
            self._start(item, held, taken)
        except Exception:  # nothing was begun; whoever called may live on, and run again
            self.holder.release(held)
            self.slots.give(taken)
            raise
        return True

    def _claim(self, item: Item) -> Held | None:
        """Hold the step, so that no other run does it; None while one does it or a neighbour."""
        name, graph = item.step.name, self.found.graph
        held = self.holder.hold(name)
        if held is None:
            return None
        if left := marker.left_in(held):
            results = self.results
            put_right(held, left, results.settling, results.teller, self.progress)
            return self._claim(item)
        mine = self.results.deeds.did.keys() | self._running.keys()
        around = (*graph.before[name], *graph.after.get(name, ()))
        # held first and looked around then: of two runs that do so, one sees the other
        if live(self.parts.root, [one for one in around if one not in mine]):
            self.holder.release(held)
            return None
        return held

    def _decided(self, planned: Item) -> Item:
        """Return the plan for a step once all before it are done: it may turn out unchanged."""
        name = planned.step.name
        first = [self.items[one] for one in self.found.graph.before[name] if one in self.items]
        if planned.key is not None and not any(one.stale for one in first):
            return planned
        item = self.results.sight.judge(planned)
        if planned.stale and not item.stale:
            self.results.deeds.did[name] = "unchanged"
            self.progress.say(f"{name} is unchanged: its inputs came out the same.")
        return item

    def _restore(self, item: Item, held: Held) -> bool:
        """Bring outputs back from the cache; False when an object is missing or damaged."""
        assert item.seen is not None and item.key is not None
        parts, seen, name = self.parts, item.seen, item.step.name
        began = self.now()
        there = {path: self.results.sight.digest(path) for path in seen.outputs}
        if parts.elsewhere is not None:
            parts.elsewhere().bring({item.key.digest: seen})
        try:
            kept = restore(parts.root, seen.outputs, there, cache=parts.cache, stats=parts.stats)
        except (NotFound, IntegrityError) as problem:
            self.progress.say(f"{name} cannot be restored and runs: {problem.message}.")
            return False
        self._tell_kept(kept)
        keeping = item.step.keeping
        made = {path: outs.marked(path, out, keeping) for path, out in seen.outputs.items()}
        lock = Lock(name, item.key.digest, item.key.parts, made, seen.metrics, seen.facts)
        self.results.made(item, lock, Account("cached", began, 0.0, lock, kept), "restored", held)
        self.progress.say(f"{name} restored from the run cache.")
        return True

    def _start(self, item: Item, held: Held, taken: Taken) -> None:
        """Start a thread that runs the step; its former outputs are safe in the cache first."""
        step, root, sight = item.step, self.parts.root, self.results.sight
        assert item.key is not None
        given = {ref: self.found.world.params[ref] for ref in step.params}
        check_params(step, given)
        there = {out: os.path.lexists(root / out) for out in step.outs}
        now = {out: sight.known(out) for out, present in there.items() if present}
        lock = sight.locks.get(step.name)
        kept = keep_all(root, now, lock, cache=self.parts.cache, stats=self.parts.stats)
        self._tell_kept(kept)
        tried = self.results.tries.get(step.name, 0)
        log = f"{step.name}.{tried + 1}.log" if tried else f"{step.name}.log"
        order = Order(
            step,
            marker.of(item.key, step, self._run_id, timestamp(self.now()), there),
            item.key.parts,
            held,
            root,
            root / LOGS / self._run_id / log,
            given,
            {**self._environ, **taken.environ},
            self.parts.python,
            self.boxed,
            self.found.room(step, self.parts, item.key.parts["environment"]),            tried,
        )
        python_step = step.kind != "command" and not order.room
        if self.warm and python_step and self._groups.warm is None:
            from mlops_cli.pipeline.warm import open_warm

            self._groups.warm = open_warm(
                self.warm, python=self.parts.python, root=root, environ=self._environ
            )
        self._running[step.name] = _Running(order, item, taken, kept, time.monotonic())
        self._orders.put(order)
        if len(self._running) > len(self._threads):
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        """Run steps in a thread until there are no more orders."""
        while (order := self._orders.get()) is not None:
            self._attempt(order)

    def _attempt(self, order: Order) -> None:
        """Run a step: whatever happens, one answer is put into the queue."""
        try:
            self._done.put(attempt(order, self._groups, self.now))
        except (OSError, MlopsError) as problem:
            marker.put_back(order.held, order.marker)
            error = OutsideWorld(
                f"step {order.step.name} cannot run: {problem}",
                code="cannot-run",
                hint="mend it and run the same command again",
            )
            self._done.put(Done(order, 0.0, error=error))
        except BaseException as problem:  # our bug; the main thread raises it
            self._done.put(problem)

    def _settle(self, done: Done, *, last: bool) -> float | None:
        one = self._running.pop(done.order.step.name)
        self.slots.give(one.taken)
        return self.results.take(done, one.item, one.kept, last=last)

    def _tell_kept(self, kept: Mapping[str, str]) -> None:
        for path, digest in kept.items():
            self.progress.say(f"{path} was changed by hand; the cache keeps it as {digest}")

    def _stop(self) -> None:
        """End what runs, take back its half-written outputs, and record it as killed."""
        self._groups.stop()
        while self._running:
            try:
                done = self._done.get(timeout=process.GRACE)
            except queue.Empty:
                break  # its marker stays, and the next run puts its outputs back
            if isinstance(done, Done):
                self._settle(done, last=True)
