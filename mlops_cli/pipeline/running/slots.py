"""What steps share while they run: processors, memory, GPUs, named mutexes.

Processors and memory are counted within one run, and only for steps that ask for them. A GPU and
a mutex are one thing each, so they are held with a lock of the kernel, for all runs of this work
tree together.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.step import Step

FOLDER = ".mlops/tmp/mutex"
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What this machine has; `mem` in bytes, `gpus` as the driver names them."""

    cpus: int
    mem: int
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What one step holds while it runs."""

    cpus: int = 0
    mem: int = 0
    gpus: tuple[str, ...] = ()
    handles: tuple[int, ...] = ()

    @property
    def environ(self) -> dict[str, str]:
        """What the step is told of it."""
        return {VISIBLE: ",".join(self.gpus)} if self.gpus else {}


NOTHING = Taken()


@dataclass(slots=True)
class Slots:
    """What is free by now."""

    root: Path
    capacity: Capacity
    cpus: int = 0  # taken
    mem: int = 0
    _gpus: set[str] = field(default_factory=set)

    def take(self, step: Step) -> Taken | None:
        """Take all that `step` asks for, or nothing and return None."""
        wants = step.resources
        if not wants:
            return NOTHING
        cpus, mem = wants.get("cpus") or 0, _bytes(wants)
        if self.cpus + cpus > self.capacity.cpus or self.mem + mem > self.capacity.mem:
            return None
        handles: list[int] = []
        gpus: list[str] = []
        for gpu in self.capacity.gpus:
            if len(gpus) == (wants.get("gpus") or 0):
                break
            if (handle := _hold(self.root, f"gpu {gpu}")) is not None:
                gpus.append(gpu)
                handles.append(handle)
        names = [f"mutex {name}" for name in sorted(set(wants.get("mutex", ())))]
        for name in names:
            if (handle := _hold(self.root, name)) is None:
                break
            handles.append(handle)
        if len(gpus) < (wants.get("gpus") or 0) or len(handles) < len(gpus) + len(names):
            _let_go(handles)
            return None
        self.cpus += cpus
        self.mem += mem
        return Taken(cpus, mem, tuple(gpus), tuple(handles))

    def give(self, taken: Taken) -> None:
        """Give back what a step took."""
        self.cpus -= taken.cpus
        self.mem -= taken.mem
        _let_go(taken.handles)


def refuse_more(steps: Iterable[Step], capacity: Capacity) -> None:
    """Raise StateRefused ("too-few-resources") for a step that could never run here."""
    for step in steps:
        wants = step.resources
        has = {"cpus": capacity.cpus, "gpus": len(capacity.gpus)}
        for word, there in has.items():
            if (wants.get(word) or 0) > there:
                raise _too_few(step.name, f"{wants[word]} {word}", f"has {there}", word)
        if _bytes(wants) > capacity.mem:
            has_mem = f"has {capacity.mem / 2**30:.1f} GiB"
            raise _too_few(step.name, f"mem: {wants['mem']}", has_mem, "mem")


def capacity(environ: Mapping[str, str], settings: Mapping[str, Any]) -> Capacity:
    """Return what there is; `settings` (cpus, gpus, mem) say it where the machine cannot."""
    cpus = settings.get("cpus") or _processors()
    mem = settings.get("mem") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Capacity(int(cpus), int(mem), _gpus(environ, settings.get("gpus")))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus(environ: Mapping[str, str], said: int | None) -> tuple[str, ...]:
    visible = environ.get(VISIBLE)
    names = [name.strip() for name in visible.split(",")] if visible is not None else None
    if names is None:
        try:
            names = [entry[6:] for entry in os.listdir("/dev") if entry.startswith("nvidia")]
        except OSError:
            names = []
        names = sorted((name for name in names if name.isdigit()), key=int)
    names = [name for name in names if name and name != "-1"]
    return tuple(names if said is None else [*names, *map(str, range(len(names), said))][:said])


def _bytes(wants: Mapping[str, Any]) -> int:
    if not wants.get("mem"):
        return 0
    from mlops_cli import quantities

    return quantities.size(wants["mem"])


def _hold(root: Path, name: str) -> int | None:
    path = root / FOLDER / f"{name.replace(' ', '.').replace('/', '_')}.lock"
    handle = fsio.open_shared(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _let_go(handles: Iterable[int]) -> None:
    for handle in handles:
        os.close(handle)


def _too_few(step: str, wanted: str, there: str, word: str) -> StateRefused:
    return StateRefused(
        f"step {step} asks for {wanted}, and this machine {there}",
        code="too-few-resources",
        hint=f"lower resources: of {step}, run it elsewhere, or say what there is: "
        f"mlops config set run.{word} …",
        details={"step": step, "resource": word},
    )
