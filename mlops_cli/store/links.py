"""How bytes get from one place on the disk to another without being copied."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from mlops_cli.fsio import TEMPORARY_PREFIX

KINDS = ("reflink", "hardlink", "symlink", "copy")

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of one file with another, copied on write
_CANNOT = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EPERM,
    errno.EACCES,
    errno.ETXTBSY,
    errno.EBADF,
}
_without_reflink: set[tuple[int, int]] = set()  # pairs of devices that have already said no


def reflink(source: int, target: int) -> bool:
    """Make the empty file `target` share the blocks of `source`; return whether the disk can.

    A pair of filesystems is asked once: a disk that cannot today cannot in a second either.
    """
    pair = (os.fstat(source).st_dev, os.fstat(target).st_dev)
    if pair in _without_reflink or pair[0] != pair[1]:
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as exc:
        if exc.errno not in _CANNOT:
            raise
        _without_reflink.add(pair)
        return False
    return True


def probe(folder: Path) -> dict[str, bool]:
    """Return which kinds of link the disk under `folder` (which exists) can make."""
    base = folder / f"{TEMPORARY_PREFIX}probe-{os.urandom(6).hex()}"
    answers = dict.fromkeys(KINDS, False)
    names = {kind: base.with_name(f"{base.name}-{kind}") for kind in KINDS}
    try:
        base.write_bytes(b"probe")
        answers["copy"] = True
        with contextlib.suppress(OSError):
            os.link(base, names["hardlink"])
            answers["hardlink"] = True
        with contextlib.suppress(OSError):
            os.symlink(base.name, names["symlink"])
            answers["symlink"] = True
        with base.open("rb") as source, names["reflink"].open("wb") as target:
            _without_reflink.discard((os.fstat(source.fileno()).st_dev,) * 2)
            answers["reflink"] = reflink(source.fileno(), target.fileno())
    except OSError:
        pass  # a folder nobody may write to offers nothing, which is an answer
    finally:
        for path in (base, *names.values()):
            path.unlink(missing_ok=True)
    return answers
