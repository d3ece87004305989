"""Several processes that hash and pack small files: threads would wait for the interpreter lock."""

from __future__ import annotations

import selectors
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import mlops_cli
from mlops_cli import errors
from mlops_cli.errors import MlopsError, OutsideWorld
from mlops_cli.store.hashing import unreadable
from mlops_cli.store.worker import Batch, Done, receive, send

_AHEAD = 2  # batches a worker holds: one in hand and one in the pipe
_START = (
    # an interrupt reaches the whole group; the parent takes it and closes the pipe
    "import sys, _signal; _signal.signal(2, _signal.SIG_IGN); sys.path.insert(0, sys.argv[1]);"
    "from mlops_cli.store.worker import main; main(sys.argv[2])"
)


class Workers:
    """A handful of processes; a context manager that leaves none behind."""

    def __init__(self, count: int, *, root: Path | None) -> None:
        home = str(Path(mlops_cli.__file__).parent.parent)
        command = [sys.executable, "-S", "-E", "-c", _START, home, str(root or "")]
        self._processes = [
            # unbuffered: an answer that a buffer has swallowed is one that select never tells of
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            for _ in range(count)
        ]
        self._selector = selectors.DefaultSelector()
        self._held: dict[int, int] = {}
        for at, process in enumerate(self._processes):
            assert process.stdout is not None
            self._selector.register(process.stdout, selectors.EVENT_READ, at)
            self._held[at] = 0
        self._waiting: deque[tuple[int, Batch]] = deque()
        self._done: dict[int, Done] = {}
        self._number = 0

    def submit(self, batch: Batch, done: Done) -> None:
        """Have a batch taken care of; `done` gets its digests, later, in this thread."""
        self._number += 1
        self._done[self._number] = done
        self._waiting.append((self._number, batch))
        self._pump(block=False)

    def finish(self) -> None:
        """Wait for all batches, then for every pack to be sealed.

        Raises what went wrong in a worker; nothing refers to what it had packed.
        """
        while self._done:
            self._pump(block=True)
        for process in self._processes:
            self._order(process, "seal")
        for process in self._processes:
            self._answer(process)
            process.wait()

    def _pump(self, *, block: bool) -> None:
        self._feed()
        for key, _ in self._selector.select(None if block else 0):
            number, digests = self._answer(self._processes[key.data])
            self._held[key.data] -= 1
            self._feed()  # first give it more to do, then look at what it did
            self._done.pop(number)(digests)

    def _feed(self) -> None:
        for ahead in range(_AHEAD):
            for at, held in self._held.items():
                if held <= ahead and self._waiting:
                    number, batch = self._waiting.popleft()
                    self._held[at] += 1
                    self._order(self._processes[at], (number, *batch))

    def _order(self, process: subprocess.Popen[bytes], order: Any) -> None:
        assert process.stdin is not None
        try:
            send(process.stdin, order)  # type: ignore[arg-type]
        except BrokenPipeError:
            self._answer(process)  # it says why before it goes
            raise _died(process) from None

    def _answer(self, process: subprocess.Popen[bytes]) -> tuple[Any, Any]:
        answer = receive(process.stdout)  # type: ignore[arg-type]
        if answer is None:
            raise _died(process)
        what, value = answer
        if what == "error":
            name, message, code, hint = value
            kind: type[MlopsError] = getattr(errors, name)
            raise kind(message, code=code, hint=hint)
        if what == "oserror":
            raise unreadable(OSError(*value))
        return what, value

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._selector.close()
        for process in self._processes:
            # the end of its input makes a worker drop what it has not sealed
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        for process in self._processes:
            process.wait()


def _died(process: subprocess.Popen[bytes]) -> OutsideWorld:
    return OutsideWorld(
        f"a process that was hashing files ended early (status {process.wait()})",
        code="worker-died",
        hint="run the same command again; nothing refers to what it had stored",
    )
