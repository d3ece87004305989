"""Several processes that hash and pack small files: threads would wait for the interpreter lock."""

from __future__ import annotations

import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlops_cli
from mlops_cli import errors
from mlops_cli.errors import MlopsError, OutsideWorld
from mlops_cli.store.files.worker import receive, send
from mlops_cli.store.hashing import unreadable

_AHEAD = 2  # batches a worker holds: one in hand and one in the pipe
_START = (
    # an interrupt reaches the whole group; the parent takes it and closes the pipe
    "import sys, _signal; _signal.signal(2, _signal.SIG_IGN); sys.path.insert(0, sys.argv[1]);"
    "from importlib import import_module; import_module(sys.argv[2]).main(*sys.argv[3:])"
)


class Workers:
    """A handful of processes; a context manager that leaves none behind.

    `program` is a module with a `main` that serves as `worker.serve` does; `arguments` go to it,
    and it inherits the open files `handles` under their numbers.
    """

    def __init__(
        self, count: int, program: str, *arguments: str, handles: Sequence[int] = ()
    ) -> None:
        home = str(Path(mlops_cli.__file__).parent.parent)
        command = [sys.executable, "-S", "-E", "-c", _START, home, program, *arguments]
        self._processes = [
            # unbuffered: an answer that a buffer has swallowed is one that select never tells of
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=handles,
            )
            for _ in range(count)
        ]
        self._selector = selectors.DefaultSelector()
        self._held: dict[int, int] = {}
        for at, process in enumerate(self._processes):
            assert process.stdout is not None
            self._selector.register(process.stdout, selectors.EVENT_READ, at)
            self._held[at] = 0
        self._waiting: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._done: dict[int, Callable[[Any], None]] = {}
        self._number = 0

    def submit(self, batch: tuple[Any, ...], done: Callable[[Any], None]) -> None:
        """Have a batch taken care of; `done` gets the answer, later, in this thread."""
        self._number += 1
        self._done[self._number] = done
        self._waiting.append((self._number, batch))
        self._pump(block=False)

    def drain(self) -> None:
        """Wait for all batches that were submitted."""
        while self._done:
            self._pump(block=True)

    def finish(self) -> None:
        """Wait for all batches, then for every pack to be sealed.

        Raises what went wrong in a worker; nothing refers to what it had packed.
        """
        self.drain()
        for process in self._processes:
            self._order(process, "seal")
        for process in self._processes:
            self._answer(process)
            process.wait()

    def _pump(self, *, block: bool) -> None:
        self._feed()
        for key, _ in self._selector.select(None if block else 0):
            number, answer = self._answer(self._processes[key.data])
            self._held[key.data] -= 1
            self._feed()  # first give it more to do, then look at what it did
            self._done.pop(number)(answer)

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
            name, message, code, hint, details = value
            kind: type[MlopsError] = getattr(errors, name)
            raise kind(message, code=code, hint=hint, details=details)
        if what == "oserror":
            raise unreadable(OSError(*value))
        return what, value

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; what they have not sealed is dropped."""
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
