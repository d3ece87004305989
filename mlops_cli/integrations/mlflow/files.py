"""Files and folders of an MLflow store: no link is followed, nothing is read past a bound."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mlops_cli.integrations.mlflow.document import malformed

DEPTH_AT_MOST = 50
VALUE_AT_MOST = 64 << 20  # bytes of one param, tag or file of metrics


def folders(path: Path) -> list[Path]:
    """Return the folders in `path` that are folders: a link may lead anywhere."""
    try:
        with os.scandir(path) as found:
            names = [one.name for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [path / name for name in sorted(names) if not name.startswith(".")]


def shown(name: str) -> str:
    """Return a name that any text may hold: bytes that are no UTF-8 are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def files(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each file below: a name may hold a slash, but not hundreds."""
    if prefix.count("/") > DEPTH_AT_MOST:
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda one: one.name)
    except OSError:
        return
    for one in entries:
        if one.is_dir(follow_symlinks=False):
            yield from files(folder / one.name, f"{prefix}{one.name}/")
        elif one.is_file(follow_symlinks=False):
            yield prefix + shown(one.name), folder / one.name


def bounded(path: Path, *, name: str, most: int = VALUE_AT_MOST) -> bytes:
    """Return the bytes of a file that is one: no link, and no pipe that never ends.

    Raises ConfigError ("malformed-mlflow-file") naming `name`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise malformed(name, "it is no file")
            data = file.read(most + 1)
    except OSError as exc:
        raise malformed(name, exc.strerror or str(exc)) from exc
    if len(data) > most:
        raise malformed(name, f"it has more than {most >> 20} MiB")
    return data
