"""The process that forks itself for each Python step, from the side of those who use it.

`forker` is what that process does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.attempts.worker import STEADY


@dataclass(slots=True)
class Forked:
    """A child of the warm process: what `Groups` needs of a Popen."""

    pid: int
    stdout: BinaryIO
    code: int | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self.code

    def wait(self) -> int:
        """Wait for its end and return how it ended, as a Popen would."""
        self.over.wait()
        assert self.code is not None
        return self.code


@dataclass(slots=True)
class Warm:
    """The warm process, from the side of those who use it; several threads may."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _said: threading.Condition = field(default_factory=threading.Condition)
    _begun: list[int] = field(default_factory=list)  # pids that nobody has asked for yet
    _children: dict[int, Forked] = field(default_factory=dict)
    _ended: dict[int, int] = field(default_factory=dict)
    _gone: bool = False

    def start(self, words: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> Forked:
        """Fork a child for the worker with the arguments `words`."""
        mine, its = os.pipe()
        request = {"words": list(words), "cwd": str(cwd), "environ": dict(environ)}
        with self._turn:
            try:
                socket.send_fds(self.channel, [line(request)], [its])
            finally:
                os.close(its)
            with self._said:
                self._said.wait_for(lambda: self._begun or self._gone)
                if not self._begun:
                    os.close(mine)
                    raise OSError("the warm process is gone")
                pid = self._begun.pop()
                child = self._children[pid] = Forked(pid, os.fdopen(mine, "rb", 0))
                self._settle(pid)
        return child

    def close(self) -> None:
        """End the warm process."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        self.process.wait()
        self.channel.close()

    def listen(self) -> None:
        """Take what the warm process tells until it ends."""
        with self.channel.makefile("rb") as lines:
            for line in lines:
                told = json.loads(line)
                with self._said:
                    if "began" in told:
                        self._begun.append(told["began"])
                    else:
                        self._ended[told["ended"]] = told["code"]
                        self._settle(told["ended"])
                    self._said.notify_all()
        with self._said:  # its children have lost whoever would tell how they end
            self._gone = True
            for pid in self._children.keys() - self._ended.keys():
                self._ended[pid] = -signal.SIGKILL
            for pid in list(self._children):
                self._settle(pid)
            self._said.notify_all()

    def _settle(self, pid: int) -> None:
        if pid in self._ended and pid in self._children:
            child = self._children.pop(pid)
            child.code = self._ended.pop(pid)
            child.over.set()


def open_warm(modules: str, *, python: str, root: Path, environ: Mapping[str, str]) -> Warm:
    """Return a process that has imported `modules` ("torch, pandas").

    Raises ConfigError ("warm-import").
    """
    names = [name.strip() for name in modules.split(",") if name.strip()]
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with its:
        process = subprocess.Popen(
            [python, "-m", "mlops_cli.pipeline.attempts.forker", str(its.fileno()), *names],
            cwd=root,
            env={**environ, **STEADY},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            process_group=0,
        )
    said = b""
    while not said.endswith(b"\n") and (more := mine.recv(1)):
        said += more
    told = json.loads(said or b'{"error": "it ended at once"}')
    if "error" in told:
        process.wait()
        mine.close()
        raise ConfigError(
            f"run.warm is {modules!r}, and a process cannot import it: {told['error']}",
            code="warm-import",
            hint="name modules of the environment in which steps run, or unset run.warm",
        )
    warm = Warm(process, mine)
    threading.Thread(target=warm.listen, daemon=True).start()
    return warm


def line(value: Mapping[str, object]) -> bytes:
    """Return one message."""
    return json.dumps(value).encode() + b"\n"
