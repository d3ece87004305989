"""What runs now, on disk: which outputs may be half written, and where the former ones are.

A marker is written before the first output is touched and deleted after the lock is written, so
after a crash it names all that must be put back. A former output is renamed aside, not copied.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.pipeline.key import Key
from mlops_cli.pipeline.step import Step

FOLDER = ".mlops/tmp/running"
VARIABLE = "MLOPS_ATTEMPT"  # in the environment of every process of an attempt


@dataclass(frozen=True, slots=True)
class Marker:
    """One attempt that began. `outs` tells for each output whether one was there before."""

    step: str
    run: str
    kind: str
    key: str
    started: str
    outs: Mapping[str, bool]
    inputs: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def attempt(self) -> str:
        return f"{self.run}/{self.step}"


def of(key: Key, step: Step, run: str, started: str, outs: Mapping[str, bool]) -> Marker:
    """Return the marker of an attempt at `step` that begins now."""
    parts = key.parts
    inputs, params = parts.get("inputs", {}), parts.get("params", {})
    return Marker(step.name, run, step.kind, key.digest, started, outs, inputs, params)


def begin(root: Path, marker: Marker) -> Path:
    """Write the marker and return the folder for whatever the attempt needs beside it."""
    path = _path(root, marker.step)
    fsio.write_atomic(path, json.dumps(asdict(marker)), durable=False)
    return _folder(root, marker.step)


def set_aside(root: Path, marker: Marker, out: str) -> None:
    """Move what is at `out` away, so that it can come back."""
    former = _former(root, marker, out)
    former.parent.mkdir(parents=True, exist_ok=True)
    remove(former)
    _move(root / out, former)


def put_back(root: Path, marker: Marker) -> None:
    """Remove what the attempt wrote and bring the former outputs back."""
    for out, was_there in marker.outs.items():
        former = _former(root, marker, out)
        if os.path.lexists(former):
            remove(root / out)
            (root / out).parent.mkdir(parents=True, exist_ok=True)
            _move(former, root / out)
        elif not was_there:
            remove(root / out)
    clear(root, marker.step)


def clear(root: Path, step: str) -> None:
    """Forget the attempt: its outputs stand."""
    folder = _folder(root, step)
    if folder.is_dir():
        import shutil  # brings three compressors, and a status needs none of it

        shutil.rmtree(folder, ignore_errors=True)
    _path(root, step).unlink(missing_ok=True)


def left(root: Path) -> list[Marker]:
    """Return the attempts that began and did not end, or run now."""
    folder = root / FOLDER
    found: list[Marker] = []
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return []
    for name in names:
        try:
            found.append(Marker(**json.loads((folder / name).read_bytes())))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            (folder / name).unlink(missing_ok=True)  # torn: nothing was touched after it
    return found


def sweep(root: Path) -> None:
    """Remove what dead processes left beside the markers. Only for the one run under way."""
    folder = root / FOLDER
    for name in os.listdir(folder) if folder.is_dir() else ():
        remove(folder / name)


def end_survivors(attempts: set[str]) -> int:
    """Kill the processes of attempts whose mlops is dead; return how many there were.

    They are known by their environment, which needs /proc; elsewhere none is found.
    """
    wanted = {f"{VARIABLE}={attempt}".encode() for attempt in attempts}
    count = 0
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return 0
    for number in numbers:
        try:
            environ = Path("/proc", number, "environ").read_bytes().split(b"\0")
            if wanted.intersection(environ) and int(number) != os.getpid():
                os.kill(int(number), signal.SIGKILL)
                count += 1
        except OSError:
            continue
    return count


def _path(root: Path, step: str) -> Path:
    return root / FOLDER / f"{step}.json"


def _folder(root: Path, step: str) -> Path:
    return root / FOLDER / f"{step}.d"


def _former(root: Path, marker: Marker, out: str) -> Path:
    place = list(marker.outs).index(out)
    return _folder(root, marker.step) / "former" / str(place)


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:  # another filesystem
        import shutil

        shutil.move(source, target)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
