"""A large file of DVC on its way into our cache: linked, its blocks shared, or copied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from mlops_cli.integrations.dvc import sums
from mlops_cli.integrations.dvc.shelf import Candidate
from mlops_cli.integrations.dvc.sums import Sums
from mlops_cli.store import links

Link = Literal["auto", "hardlink", "copy"]


def unwritable(candidate: Candidate) -> bool:
    """Return whether nobody is expected to write to the file: a link to it is a link for good."""
    return bool(candidate.name) and not candidate.found.st_mode & 0o222


def linked(candidate: Candidate, temporary: Path) -> bool:
    """Give the file a second name, if nobody may write to it; return whether that was done."""
    if not unwritable(candidate):
        return False
    try:
        os.link(candidate.path, temporary)
    except OSError:
        return False  # another disk, or one without links
    return True


def copied(path: Path, temporary: Path, *, share: bool) -> Sums:
    """Copy the file, or share its blocks where the disk can; return the sums of what came."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if share and links.reflink(source, target):
                return sums.of_handle(target)
            return sums.of_handle(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)
