"""The threads in which attempts wait for their children, and the end of all of them."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_cli.errors import MlopsError, OutsideWorld
from mlops_cli.pipeline.attempts.errand import Done, Order, inherited
from mlops_cli.pipeline.attempts.process import Groups
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.traces import marker

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.parts import RunParts


@dataclass(slots=True)
class Crew:
    """A thread for each step that runs; one that is done waits for the next order."""

    parts: RunParts
    now: Clock
    warm: str | None = None  # modules that a process imports once for all Python steps
    _groups: Groups = field(default_factory=Groups)
    _orders: queue.SimpleQueue[Order | None] = field(default_factory=queue.SimpleQueue)
    _done: queue.SimpleQueue[Done | BaseException] = field(default_factory=queue.SimpleQueue)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def worked(self) -> bool:
        """Whether there was an order at all."""
        return bool(self._threads)

    def begin(self, order: Order, *, running: int) -> None:
        """Begin an attempt beside `running` others. Raises ConfigError ("warm-import")."""
        python_step = order.step.kind != "command" and not order.room
        if self.warm and python_step and self._groups.warm is None:
            from mlops_cli.pipeline.attempts.warm import open_warm

            python, environ = self.parts.python, inherited(self.parts.environ, self.parts.python)
            self._groups.warm = open_warm(
                self.warm, python=python, root=order.root, environ=environ
            )
        self._orders.put(order)
        if running >= len(self._threads):
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def next(self, timeout: float) -> Done | None:
        """Return an attempt that has ended, None when none does in time. Raises our bugs."""
        try:
            done = self._done.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(done, BaseException):
            raise done
        return done

    def stop(self) -> None:
        """End what runs; `next` then tells how."""
        self._groups.stop()

    def close(self) -> None:
        """Let the threads end, and the process that forks Python steps."""
        if self._groups.warm:
            self._groups.warm.close()
        for _ in self._threads:
            self._orders.put(None)

    def _work(self) -> None:
        """Attempt one step after another: whatever happens, each order has one answer."""
        from mlops_cli.pipeline.attempts.attempt import (
            attempt,  # a run that only restores needs none of it
        )

        while (order := self._orders.get()) is not None:
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
