"""The middle of a run: steps started as their inputs are ready, their results taken one by one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.attempts import process
from mlops_cli.pipeline.attempts.crew import Crew
from mlops_cli.pipeline.attempts.errand import Done
from mlops_cli.pipeline.planning.plan import Item
from mlops_cli.pipeline.running import ready
from mlops_cli.pipeline.running.beginning import Beginning, Begun
from mlops_cli.pipeline.traces import leftover
from mlops_cli.progress import Progress, Task, Working

PATIENCE = 0.5  # seconds after which results that wait are looked at again
ELSEWHERE = 0.05  # seconds after which a step that another run has is asked for again


@dataclass(slots=True)
class Session:
    """One run under way. The main thread decides and writes; a thread a step waits for a child."""

    beginning: Beginning
    crew: Crew
    progress: Progress
    seconds: Mapping[str, float]  # what steps took the last time
    _planned: dict[str, Item] = field(default_factory=dict)
    _running: dict[str, tuple[Begun, float]] = field(default_factory=dict)  # since when
    _missing: dict[str, int] = field(default_factory=dict)  # step → inputs that are not ready
    _full: list[str] = field(default_factory=list)  # steps that wait for what others hold

    def carry_out(self, *, jobs: int, keep_going: bool) -> MlopsError | None:
        """Do what the plan says; return the error of the first step that failed."""
        graph, results = self.beginning.found.graph, self.beginning.results
        self._planned = {item.step.name: item for item in self.beginning.found.plan.items}
        next_ = ready.Queue(ready.ways(graph, self._planned.keys(), self.seconds))
        for name in self._planned:
            self._missing[name] = sum(one in self._planned for one in graph.before[name])
            if not self._missing[name]:
                next_.put(name)
        stale = sum(item.stale for item in self._planned.values())
        with self.progress.task("run", total=stale, unit="steps") as task:
            task.watch(self.working)
            try:
                while next_ or self._running:
                    stopped = bool(results.errors) and not keep_going
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
                self.crew.close()
        if self.crew.worked:
            self._end_leftovers()
        return results.errors[0] if results.errors else None

    def working(self) -> list[Working]:
        """Return the steps that run now; another thread may ask."""
        now = time.monotonic()
        return [
            Working(name, now - began, self.seconds.get(name), tail[-1] if tail else "")
            for name, (one, began) in list(self._running.items())
            for tail in (one.order.tail,)
        ]

    def _begin_ready(self, next_: ready.Queue, jobs: int, task: Task) -> None:
        """Begin the steps that may begin now, those with the longest way to go first."""
        while len(self._running) < jobs:
            name = next_.take(time.monotonic())
            if name is None:
                break
            begun = self.beginning.begin(self._planned[name], self._running)
            if isinstance(begun, Begun):
                self._start(name, begun)
            elif begun == "over":
                task.advance(int(self._planned[name].stale))
                if name not in self.beginning.results.deeds.failed:
                    self._free(name, next_)
            elif begun == "full" and self._running:
                self._full.append(name)
            else:
                next_.put_later(name, time.monotonic() + ELSEWHERE)
            self._flush_due()  # what is restored waits to be written too

    def _start(self, name: str, begun: Begun) -> None:
        try:
            self.crew.begin(begun.order, running=len(self._running))
        except Exception:
            self.beginning.give_up(begun.order.held, begun.taken)
            raise
        self._running[name] = (begun, time.monotonic())

    def _take_one(self, next_: ready.Queue, task: Task, *, full: bool, keep_going: bool) -> None:
        """Wait a while for an attempt to end, and take what it left."""
        moment = None if full else next_.next_moment()
        wait = PATIENCE if moment is None else max(0.0, min(PATIENCE, moment - time.monotonic()))
        results = self.beginning.results
        if (self._running or next_) and (done := self.crew.next(wait)):
            name = done.order.step.name
            pause = self._settle(done, last=bool(results.errors) and not keep_going)
            for waiting in self._full:
                next_.put(waiting)
            self._full.clear()
            if pause is not None:
                next_.put_later(name, time.monotonic() + pause)
            else:
                task.advance()
                if name not in results.deeds.failed:
                    self._free(name, next_)
        self._flush_due()

    def _flush_due(self) -> None:
        if self.beginning.results.settling.due:
            self.beginning.results.settling.flush()

    def _free(self, name: str, next_: ready.Queue) -> None:
        for later in self.beginning.found.graph.after.get(name, ()):
            if later in self._planned:
                self._missing[later] -= 1
                if self._missing[later] == 0:
                    next_.put(later)

    def _settle(self, done: Done, *, last: bool) -> float | None:
        begun, _ = self._running.pop(done.order.step.name)
        self.beginning.slots.give(begun.taken)
        return self.beginning.results.take(done, begun.item, begun.kept, last=last)

    def _end_leftovers(self) -> None:
        """End the daemons of steps that took too short a time to look for them at once."""
        run = f"{self.beginning.results.teller.run_id}/"
        for one in leftover.end(lambda attempt: attempt.startswith(run)):
            words = f"{one.words} (pid {one.pid})"
            self.progress.say(f"{one.step} left a process behind, which was ended: {words}")

    def _stop(self) -> None:
        """End what runs, take back its half-written outputs, and record it as killed."""
        self.crew.stop()
        while self._running:
            done = self.crew.next(process.GRACE)
            if done is None:
                break  # its marker stays, and the next run puts its outputs back
            self._settle(done, last=True)
