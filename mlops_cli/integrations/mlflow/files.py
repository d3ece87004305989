"""Files and folders of an MLflow store: no link is followed, nothing is read past a bound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mlops_cli.integrations.mlflow.document import malformed

VALUE_AT_MOST = 64 << 20  # bytes of one param, tag or file of metrics


def folders(path: Path) -> list[Path]:
    """Return the folders in `path` that are folders: a link may lead anywhere."""
    try:
        with os.scandir(path) as found:
            names = [one.name for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [path / name for name in sorted(names) if not name.startswith(".")]


def files(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each file below: a name may hold a slash."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda one: one.name)
    except OSError:
        return
    for one in entries:
        if one.is_dir(follow_symlinks=False):
            yield from files(folder / one.name, f"{prefix}{one.name}/")
        elif one.is_file(follow_symlinks=False):
            shown = os.fsencode(one.name).decode("utf-8", "replace")
            yield prefix + shown, folder / one.name


def bounded(path: Path, *, name: str) -> bytes:
    """Return the bytes of a file. Raises ConfigError ("malformed-mlflow-file") naming `name`."""
    try:
        with open(path, "rb") as file:
            data = file.read(VALUE_AT_MOST + 1)
    except OSError as exc:
        raise malformed(name, exc.strerror or str(exc)) from exc
    if len(data) > VALUE_AT_MOST:
        raise malformed(name, f"it has more than {VALUE_AT_MOST >> 20} MiB")
    return data
