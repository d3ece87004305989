"""A process that has imported what is slow to import, and forks itself for each Python step.

A step then starts in milliseconds. What it computes is what a fresh process computes: the order of
hashes, the environment, the folder and the paths of imports are the same, and generators of random
numbers that seed themselves once are seeded anew. Started as
`python -m mlops_cli.pipeline.attempts.forker FD MODULE…`; a message on the socket FD is one
request, with the pipe for its words beside it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from mlops_cli.pipeline.attempts import worker
from mlops_cli.pipeline.attempts.warm import line

MOST = 1 << 20  # bytes of a request, which are those of the environment


def main(arguments: list[str]) -> int:
    """Serve requests until the other side closes the socket."""
    channel = socket.socket(fileno=int(arguments[0]))
    try:
        for name in arguments[1:]:
            importlib.import_module(name)
    except Exception as problem:
        channel.sendall(line({"error": f"{type(problem).__name__}: {problem}"}))
        return 1
    channel.sendall(line({"ready": True}))
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
                    channel.sendall(line({"ended": pid, "code": code}))
        if channel.fileno() in readable:
            asked = _receive(channel)
            if asked is None:
                break
            request, words = asked
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _be(request, channel, words)
            os.close(words)
            children.add(pid)
            channel.sendall(line({"began": pid}))
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


def _be(request: dict[str, Any], channel: socket.socket, words: int) -> None:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
