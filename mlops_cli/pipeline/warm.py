"""A process that has imported what is slow to import, and forks itself for each Python step.

A step then starts in milliseconds. What it computes is what a fresh process computes: the order of
hashes, the environment, the folder and the paths of imports are the same, and generators of random
numbers that seed themselves once are seeded anew. Started as `python -m mlops_cli.pipeline.warm
FD MODULE…`; a message on the socket FD is one request, with the pipe for its words beside it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.worker import STEADY

MOST = 1 << 20  # bytes of a request, which are those of the environment


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
                socket.send_fds(self.channel, [_line(request)], [its])
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
            [python, "-m", "mlops_cli.pipeline.warm", str(its.fileno()), *names],
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


def main(arguments: list[str]) -> int:
    """Serve requests until the other side closes the socket."""
    channel = socket.socket(fileno=int(arguments[0]))
    from mlops_cli.pipeline import worker

    try:
        for name in arguments[1:]:
            importlib.import_module(name)
    except Exception as problem:
        channel.sendall(_line({"error": f"{type(problem).__name__}: {problem}"}))
        return 1
    channel.sendall(_line({"ready": True}))
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    children: set[int] = set()
    while True:
        # no thread waits for a child: to fork a process that has threads is asking for trouble
        readable, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 1 << 10)
            for pid in list(children):
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    children.discard(pid)
                    code = os.waitstatus_to_exitcode(status)
                    channel.sendall(_line({"ended": pid, "code": code}))
        if channel.fileno() in readable:
            asked = _receive(channel)
            if asked is None:
                break
            request, words = asked
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _be(request, channel, words, worker)
            os.close(words)
            children.add(pid)
            channel.sendall(_line({"began": pid}))
    for pid in children:  # whoever asked for them is dead
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    return 0


def _receive(channel: socket.socket) -> tuple[dict[str, Any], int] | None:
    """Return a request and the pipe for the words of the step; None at the end."""
    data, handles, _, _ = socket.recv_fds(channel, MOST, 1)
    while data and not data.endswith(b"\n"):  # a stream may bring a long request in pieces
        more = channel.recv(MOST)
        data = data + more if more else b""
    return (json.loads(data), handles[0]) if data else None


def _be(request: dict[str, Any], channel: socket.socket, words: int, worker: ModuleType) -> None:
    """Be the process of a step, and end."""
    code = 70
    try:
        os.setpgid(0, 0)
        channel.close()
        for number in (1, 2):
            os.dup2(words, number)
        os.close(words)
        os.environ.clear()
        os.environ.update(request["environ"])
        os.chdir(request["cwd"])
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed()  # a fresh process draws its own seed when it imports numpy
        code = worker.main(request["words"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
