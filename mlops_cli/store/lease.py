"""Who may change a cache: writers together, or one sweep alone.

A lock of the kernel on `gc.lock`, which a dead process never holds. It covers the moment between
"is it here?" and "then it need not be stored", and, with those who hold it so long, as `add` and
runs do, also what lies between storing and naming. Of others the grace period covers that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import StateRefused

NAME = "gc.lock"


@contextlib.contextmanager
def shared(root: Path) -> Iterator[None]:
    """Write to the cache at `root`; waits while a sweep is under way, which takes moments."""
    handle = _open(root)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def exclusive(root: Path, *, wait: float = 10.0) -> Iterator[None]:
    """Hold off all writers. Raises StateRefused ("locked") when they are still at it after
    `wait` seconds. Storing something while this is held would wait for itself.
    """
    handle = _open(root)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StateRefused(
                        "another process is storing data in this cache",
                        code="locked",
                        hint="run the same command again when it is done; nothing was removed",
                        details={"lock": str(root / NAME)},
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(handle)


def _open(root: Path) -> int:
    path = root / NAME
    with fsio.translated(path):
        return fsio.open_shared(path, os.O_RDONLY | os.O_CREAT)
