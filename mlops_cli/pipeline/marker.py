"""What runs now, on disk: which outputs may be half written, and where the former ones are.

A marker is written before the first output is touched and deleted after the lock is written, so
after a crash it names all that must be put back. A former output is renamed aside, not copied.

The file of a marker is also the lock of its step: whoever runs the step holds it with flock, so
the kernel tells a live attempt from a dead one, and two runs never do the same step at once.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.pipeline.key import Key
from mlops_cli.pipeline.step import Step

FOLDER = ".mlops/tmp/running"
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
class Held:
    """A step that this process, and no other, may run; `left` is what a dead one left of it."""

    root: Path
    step: str
    handle: int
    left: Marker | None = None


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


def hold(root: Path, step: str) -> Held | None:
    """Hold `step` until `clear` or `release`; None while another process does."""
    path = _path(root, step)
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            fsio.make_folder(path.parent)
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        found = os.fstat(handle)
        if found.st_nlink == 0:  # its holder was done with it between the two calls
            os.close(handle)
            continue
        left = _read(handle) if found.st_size else None
        return Held(root, step, handle, left)


def release(held: Held) -> None:
    """Let go of a step that was held and not begun."""
    _path(held.root, held.step).unlink(missing_ok=True)
    os.close(held.handle)


def begin(held: Held, marker: Marker) -> Path:
    """Write the marker and return the folder for whatever the attempt needs beside it."""
    path = _path(held.root, held.step)
    with fsio.translated(path):
        if os.fstat(held.handle).st_size:  # torn by a crash: nothing was touched after it
            os.ftruncate(held.handle, 0)
        words = asdict(marker)
        del words["finished"]
        os.pwrite(held.handle, json.dumps(words).encode() + b"\n", 0)
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
    with fsio.translated(_path(held.root, held.step)):
        end = os.fstat(held.handle).st_size
        os.pwrite(held.handle, json.dumps(words).encode() + b"\n", end)


def set_aside(root: Path, marker: Marker, out: str) -> None:
    """Move what is at `out` away, so that it can come back."""
    former = _former(root, marker, out)
    former.parent.mkdir(parents=True, exist_ok=True)
    remove(former)
    _move(root / out, former)


def go_on(root: Path, marker: Marker, out: str) -> None:
    """Put a copy of what was set aside where it was, for the step to go on with."""
    from mlops_cli.pipeline.copies import copy

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
    release(held)


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
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            found = os.fstat(handle)
            if found.st_nlink and (left := _read(handle)):
                dead.append(left)
        except BlockingIOError:
            live.add(name.removesuffix(".json"))
        finally:
            os.close(handle)
    return Standing(tuple(dead), frozenset(live))


def live(root: Path, steps: Iterable[str]) -> bool:
    """Return whether another process runs one of `steps`; the caller holds none of them."""
    for step in steps:
        path = _path(root, step)
        if not path.exists():
            continue
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(handle: int) -> Marker | None:
    found = os.fstat(handle)
    first, _, second = os.pread(handle, found.st_size, 0).partition(b"\n")
    try:
        marker = Marker(**json.loads(first))
    except (ValueError, TypeError):
        return None  # torn: nothing was touched after it
    try:
        words = json.loads(second)
        return replace(marker, finished=Finished(found.st_mtime_ns, **words))
    except (ValueError, TypeError):
        return marker


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
