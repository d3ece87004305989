"""Files written so that a reader sees old or new, never half; paths that stay inside."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from mlops_cli.errors import ConfigError, OutsideWorld, StateRefused

TEMPORARY_PREFIX = ".tmp-mlops-"
SHARED = stat.S_ISGID | stat.S_IWGRP  # of a folder that a group shares


def temporary_beside(target: Path) -> Path:
    """Return a fresh name beside `target`; rename is atomic only within one filesystem."""
    make_folder(target.parent)
    return target.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(6).hex()}"


def make_folder(path: Path) -> None:
    """Make `path` and what is missing above it. A folder inside one that its group shares
    (setgid and writable for the group) is shared as well, whatever the umask."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    if _shared(path.parent):
        with contextlib.suppress(PermissionError):  # another user has just made it
            path.chmod(path.stat().st_mode & 0o777 | SHARED)


def open_shared(path: Path, flags: int) -> int:
    """Open a file that several processes change, and in a folder that a group shares several
    users; its folder is made if need be."""
    try:
        return os.open(path, flags & ~os.O_CREAT | os.O_CLOEXEC)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    make_folder(path.parent)
    handle = os.open(path, flags | os.O_CLOEXEC, 0o644)
    if _shared(path.parent):
        with contextlib.suppress(PermissionError):  # another user has just made it
            os.fchmod(handle, 0o664)
    return handle


def _shared(folder: Path) -> bool:
    return folder.stat().st_mode & SHARED == SHARED


def publish(
    temporary: Path, target: Path, *, mode: int | None = None, durable: bool = True
) -> None:
    """Give the finished file `temporary` its name; `durable` flushes it to the disk first."""
    if mode is not None:
        temporary.chmod(mode)
    if durable:
        handle = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    os.replace(temporary, target)


def write_atomic(
    target: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = True
) -> None:
    """Write `data` to `target` all at once.

    Raises OutsideWorld ("disk-full", "cannot-write") and leaves the former file as it was.
    """
    with (
        translated(target),
        replacing(target, mode=mode, durable=durable) as temporary,
    ):
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def replacing(target: Path, *, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """Give a path to write to; what is there at the end of the block becomes `target` at once.

    A device or a pipe is written into: root would put a file in the place of /dev/null.
    """
    temporary = _elsewhere() if _is_stream(target) else temporary_beside(target)
    try:
        yield temporary
        if _is_stream(target):
            import shutil

            with temporary.open("rb") as made, target.open("wb") as stream:
                shutil.copyfileobj(made, stream)
        else:
            publish(temporary, target, mode=mode, durable=durable)
    finally:
        temporary.unlink(missing_ok=True)


def _is_stream(target: Path) -> bool:
    """Return whether `target` takes bytes and keeps none; /dev/stdout may lead to a file."""
    if target.parent in (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd")):
        return True
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _elsewhere() -> Path:
    import tempfile

    return temporary_beside(Path(tempfile.gettempdir(), "stream"))


@contextlib.contextmanager
def translated(target: Path) -> Iterator[None]:
    """Turn an OSError on the way to `target` into an error a person can act on."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutsideWorld(
                f"the disk is full: cannot write {target}",
                code="disk-full",
                hint="free some space and run the same command again; nothing was lost",
            ) from exc
        raise OutsideWorld(
            f"cannot write {target}: {exc.strerror or exc}",
            code="cannot-write",
            hint="check the permissions of the folder and run the same command again",
        ) from exc


def inside(root: Path, relative: str | Path, *, follow: bool = True) -> Path:
    """Return `root / relative` when it stays under `root`, symlinks followed; without `follow`, a
    link that stands there itself is not asked where it leads.

    Raises ConfigError ("path-outside-project") for absolute paths, `..` that climbs out and
    links that point out.
    """
    text = os.fspath(relative)
    joined = os.path.normpath(os.path.join(root, text))
    base = os.path.realpath(root)
    asked = joined if follow or joined == os.path.normpath(root) else os.path.dirname(joined)
    resolved = os.path.realpath(asked)
    if "\0" in text or os.path.isabs(text) or not _under(resolved, base):
        raise ConfigError(
            f"the path {text!r} leaves the project",
            code="path-outside-project",
            hint="use a path relative to the project, without '..' or links that point out",
            details={"path": text},
        )
    return Path(joined)


def _under(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip(os.sep) + os.sep)


@contextlib.contextmanager
def lock(path: Path, *, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`; the kernel frees it when its holder dies, so none goes stale.

    `what` names the work in the error; `wait` is how many seconds to wait for another holder.
    Raises StateRefused ("locked") with the pid of the other process.
    """
    handle = open_shared(path, os.O_RDWR | os.O_CREAT)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() >= deadline:
                    holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise StateRefused(
                        f"another process (pid {holder}) is busy with {what}",
                        code="locked",
                        hint="wait for it to end and run the same command again",
                        details={"pid": holder, "lock": str(path)},
                    ) from exc
                time.sleep(0.02)
        with contextlib.suppress(OSError):  # a full disk: only the message of others knows less
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def write_all(handle: int, data: memoryview | bytes) -> int:
    """Write all of `data`, however little the disk takes at a time; return its length."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    return len(data)


def is_still(path: Path, handle: int) -> bool:
    """Tell whether `path` is the file behind `handle`, not another one of that name by now."""
    try:
        named, held = path.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)
