"""A copy that a step may write to, sharing its blocks with the original where the disk can."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from mlops_cli.store import links


def copy(source: Path, target: Path) -> None:
    """Copy a file, link or folder; nothing there, or a target that is there, is fine."""
    if os.path.lexists(target):
        return  # inside a folder that came before
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir()
        for entry in source.iterdir():
            copy(entry, target / entry.name)
    elif source.is_symlink() and not source.readlink().is_absolute():  # that may be the cache
        target.symlink_to(source.readlink())
    elif source.exists():
        with source.open("rb") as was, target.open("wb") as made:
            if not links.reflink(was.fileno(), made.fileno()):
                shutil.copyfileobj(was, made, 1 << 20)
        shutil.copystat(source, target)
        target.chmod(stat.S_IMODE(target.stat().st_mode) | stat.S_IWUSR)  # it may be protected
