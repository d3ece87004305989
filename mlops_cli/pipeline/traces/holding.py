"""The lock of a step: a file that whoever runs the step holds, so the kernel tells who lives.

A file that was let go of is given the name of the next step: to make and remove one for each step
costs a filesystem more than most steps do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli import fsio

FOLDER = ".mlops/tmp/running"
SPARE = ".spare-"


@dataclass(frozen=True, slots=True)
class Held:
    """A step that this process, and no other, may run."""

    holder: Holder
    step: str
    handle: int
    spare: Path | None = None  # the other name of the file, when this process made it

    @property
    def root(self) -> Path:
        return self.holder.root


@dataclass(slots=True)
class Holder:
    """The steps that one run holds, and the files that are free for the next."""

    root: Path
    _free: list[tuple[int, Path]] = field(default_factory=list)

    def hold(self, step: str) -> Held | None:
        """Hold `step` until `release`; None while another process does."""
        path = path_of(self.root, step)
        while True:
            handle, spare = self._free.pop() if self._free else self._fresh()
            try:
                os.link(spare, path)  # the file is locked already, so no moment lies between
                return Held(self, step, handle, spare)
            except FileNotFoundError:  # `close` of another run took it for left behind
                os.close(handle)
                continue
            except FileExistsError:
                self._free.append((handle, spare))
            try:
                handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if not _lock(handle, fcntl.LOCK_EX):
                os.close(handle)
                return None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(handle)):
                    return Held(self, step, handle)  # whoever held it is dead
            os.close(handle)

    def release(self, held: Held) -> None:
        """Let go of a step."""
        os.pwrite(held.handle, b"\n", 0)  # what the file said is no more
        path_of(self.root, held.step).unlink(missing_ok=True)
        if held.spare is None:
            os.close(held.handle)
        else:
            self._free.append((held.handle, held.spare))

    def close(self) -> None:
        """Remove the files that are free, and those that dead processes left."""
        while self._free:
            handle, spare = self._free.pop()
            spare.unlink(missing_ok=True)
            os.close(handle)
        folder = self.root / FOLDER
        for name in os.listdir(folder) if folder.is_dir() else ():
            if name.startswith(SPARE):
                with contextlib.suppress(FileNotFoundError):
                    handle = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
                    if _lock(handle, fcntl.LOCK_EX):
                        (folder / name).unlink(missing_ok=True)
                    os.close(handle)

    def _fresh(self) -> tuple[int, Path]:
        spare = self.root / FOLDER / f"{SPARE}{os.getpid()}-{os.urandom(6).hex()}"
        fsio.make_folder(spare.parent)
        with fsio.translated(spare):
            handle = os.open(spare, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle, spare


def live(root: Path, steps: Iterable[str]) -> bool:
    """Return whether a process runs one of `steps`; the caller holds none of them."""
    return any(is_live(path) for path in (path_of(root, step) for step in steps) if path.exists())


def is_live(path: Path) -> bool:
    """Return whether a process holds the file at `path`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def path_of(root: Path, step: str) -> Path:
    """Return the file that whoever runs `step` holds."""
    return root / FOLDER / f"{step}.json"


def _lock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
