"""What runs now, on disk: which outputs may be half written, and where the former ones are.

A marker is written before the first output is touched and deleted after the lock is written, so
after a crash it names all that must be put back. A former output is renamed aside, not copied.

It stands in the file that whoever runs the step holds (see `holding`), so two runs never do the
same step at once, and what a dead one left is known for that.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.pipeline.keys.key import Key
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.holding import FOLDER, Held, path_of

_END = b"\n\n"  # what stands behind it in the file was said about another step
VARIABLE = "MLOPS_ATTEMPT"  # in the environment of every process of an attempt


@dataclass(frozen=True, slots=True)
class Finished:
    """What an attempt answered that ended well and was not written down yet."""

    moment: int  # the mtime of the marker then, in nanoseconds
    seconds: float
    metrics: Mapping[str, float]
    facts: Mapping[str, Any]
    parts: Mapping[str, Any]  # of the key


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
    finished: Finished | None = None
    keeping: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of the step

    @property
    def attempt(self) -> str:
        return f"{self.run}/{self.step}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The attempts that stand in markers: whose process is dead, and the steps that run now."""

    dead: tuple[Marker, ...] = ()
    live: frozenset[str] = frozenset()


def of(key: Key, step: Step, run: str, started: str, outs: Mapping[str, bool]) -> Marker:
    """Return the marker of an attempt at `step` that begins now."""
    parts = key.parts
    inputs, params = parts.get("inputs", {}), parts.get("params", {})
    words = (step.name, run, step.kind, key.digest, started)
    return Marker(*words, outs, inputs, params, keeping=step.keeping)


def left_in(held: Held) -> Marker | None:
    """Return the attempt that a dead process left in the step that is held now."""
    return None if held.spare else _read(held.handle, held.step)


def begin(held: Held, marker: Marker) -> Path:
    """Write the marker and return the folder for whatever the attempt needs beside it."""
    words = asdict(marker)
    del words["finished"]
    with fsio.translated(path_of(held.root, held.step)):
        os.pwrite(held.handle, json.dumps(words).encode() + _END, 0)
    return _folder(held.root, held.step)


def finish(
    held: Held,
    *,
    seconds: float,
    metrics: Mapping[str, float],
    facts: Mapping[str, Any],
    parts: Mapping[str, Any],
) -> None:
    """Note that the attempt ended well, so that no crash makes the step run again."""
    words = {"seconds": seconds, "metrics": dict(metrics), "facts": dict(facts), "parts": parts}
    with fsio.translated(path_of(held.root, held.step)):
        said = os.pread(held.handle, os.fstat(held.handle).st_size, 0).partition(_END)[0]
        os.pwrite(held.handle, json.dumps(words).encode() + _END, len(said) + 1)


def set_aside(root: Path, marker: Marker, out: str) -> None:
    """Move what is at `out` away, so that it can come back."""
    former = _former(root, marker, out)
    former.parent.mkdir(parents=True, exist_ok=True)
    remove(former)
    _move(root / out, former)


def go_on(root: Path, marker: Marker, out: str) -> None:
    """Put a copy of what was set aside where it was, for the step to go on with."""
    from mlops_cli.pipeline.traces.copies import copy

    copy(_former(root, marker, out), root / out)


def put_back(held: Held, marker: Marker) -> None:
    """Remove what the attempt wrote, bring the former outputs back, let go of the step."""
    root = held.root
    for out, was_there in marker.outs.items():
        former = _former(root, marker, out)
        if os.path.lexists(former):
            remove(root / out)
            (root / out).parent.mkdir(parents=True, exist_ok=True)
            _move(former, root / out)
        elif not was_there:
            remove(root / out)
    clear(held)


def clear(held: Held) -> None:
    """Forget the attempt: its outputs stand. Let go of the step."""
    folder = _folder(held.root, held.step)
    if folder.is_dir():
        import shutil  # brings three compressors, and a status needs none of it

        shutil.rmtree(folder, ignore_errors=True)
    held.holder.release(held)


def standing(root: Path) -> Standing:
    """Return the attempts that run now and those that a dead process left; nothing is changed."""
    folder = root / FOLDER
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return Standing()
    dead: list[Marker] = []
    live: set[str] = set()
    for name in names:
        step = name.removesuffix(".json")
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if left := _read(handle, step):
                dead.append(left)
        except BlockingIOError:
            live.add(step)
        finally:
            os.close(handle)
    return Standing(tuple(dead), frozenset(live))


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(handle: int, step: str) -> Marker | None:
    found = os.fstat(handle)
    first, _, second = os.pread(handle, found.st_size, 0).partition(_END)[0].partition(b"\n")
    try:
        marker = Marker(**json.loads(first))
    except (ValueError, TypeError):
        return None  # nothing was touched before it was written
    if marker.step != step:
        return None  # of the step that the file was named after before
    try:
        words = json.loads(second)
        return replace(marker, finished=Finished(found.st_mtime_ns, **words))
    except (ValueError, TypeError):
        return marker


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
