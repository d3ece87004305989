"""The lock of a step: what it saw and what it made, one small file in git that one step writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import IntegrityError

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

FOLDER = ".mlops/lock"
SCHEMA = "mlops.lock/1"


@dataclass(frozen=True, slots=True)
class Output:
    """One output as it was made; `kind` is "file" or "tree", `size` counts bytes.

    One that is not `stored` is only in the workspace that made it, one without `push` is sent to
    no remote, and of its versions gc needs the newest `keep`.
    """

    digest: str
    kind: str
    size: int
    files: int
    stored: bool = True
    push: bool = True
    keep: int | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Output:
        """Return the output that `outputs_json` made plain."""
        kept = bool(item.get("stored", True)), bool(item.get("push", True)), item.get("keep")
        return cls(item["digest"], item["kind"], item["size"], item["files"], *kept)


@dataclass(frozen=True, slots=True)
class Lock:
    """What a step was made of and what it made, the last time it was done."""

    step: str
    key: str
    parts: Mapping[str, Any]
    outputs: Mapping[str, Output]
    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    theirs: Lock | None = None  # the other side of a merge that nobody has decided yet

    @property
    def path(self) -> str:
        """Where the lock stands, relative to the project."""
        return path_of(self.step)


def path_of(step: str) -> str:
    """Return where the lock of `step` stands, relative to the project."""
    return f"{FOLDER}/{step}.json"


def read_locks(root: Path, steps: Iterable[str]) -> dict[str, Lock]:
    """Return the locks of those of `steps` that have one. Raises as `read_lock`."""
    folder = root / FOLDER
    try:
        present = set(os.listdir(folder))
    except FileNotFoundError:
        return {}
    return {
        step: read_lock((folder / f"{step}.json").read_bytes(), step=step)
        for step in steps
        if f"{step}.json" in present
    }


def read_locks_at(git: Git, commit: str) -> dict[str, Lock]:
    """Return the locks that a commit holds, by step. Raises as `read_lock`."""
    from mlops_cli.vcs import objects

    words = ("ls-tree", "-z", "--full-tree", "--name-only", commit, f"{FOLDER}/")
    paths = [path for path in git.run(*words).split("\0") if path.endswith(".json")]
    blobs = objects.read(git, [f"{commit}:{path}" for path in paths])
    found = {}
    for path, blob in zip(paths, blobs, strict=True):
        step = path.removeprefix(f"{FOLDER}/").removesuffix(".json")
        found[step] = read_lock(blob.data if blob else b"", step=step)
    return found


def find_lock(root: Path, step: str) -> Lock | None:
    """Return the lock of one step as it stands now, None when it has none. As `read_lock`."""
    try:
        return read_lock((root / path_of(step)).read_bytes(), step=step)
    except FileNotFoundError:
        return None


def read_lock(data: bytes, *, step: str) -> Lock:
    """Return the lock in `data`; unknown fields are ignored.

    Raises IntegrityError ("malformed-lock").
    """
    try:
        return _from_json(json.loads(data), step)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        file = path_of(step)
        raise IntegrityError(
            f"{file} is not a lock: {exc}",
            code="malformed-lock",
            hint=f"restore it with `git checkout -- {file}`, or delete it and run the step again",
            details={"file": file, "step": step},
        ) from exc


def _from_json(value: Any, step: str) -> Lock:
    if value["schema"] != SCHEMA:
        raise ValueError(f"its schema is {value['schema']!r}")
    outputs = {path: Output.of(item) for path, item in value["outputs"].items()}
    theirs = value.get("theirs")
    return Lock(
        step,
        value["key"],
        value["parts"],
        outputs,
        value.get("metrics", {}),
        value.get("facts", {}),
        None if theirs is None else _from_json(theirs, step),
    )


def write_lock(root: Path, lock: Lock) -> bool:
    """Write the lock; return False when the file already said so."""
    text = readable_json(as_json(lock))
    target = root / lock.path
    try:
        if target.read_bytes() == text.encode():
            return False
    except FileNotFoundError:
        pass
    # not flushed: a lost lock costs one more run of the step, a flush costs more than most steps
    fsio.write_atomic(target, text, durable=False)
    return True


def as_json(lock: Lock) -> dict[str, Any]:
    """Return the lock as plain values."""
    return {
        "schema": SCHEMA,
        "step": lock.step,
        "key": lock.key,
        "parts": lock.parts,
        "outputs": outputs_json(lock.outputs),
        "metrics": dict(lock.metrics),
        "facts": dict(lock.facts),
    }


def outputs_json(outputs: Mapping[str, Output]) -> dict[str, dict[str, Any]]:
    """Return outputs as plain values."""
    return {
        path: {"digest": out.digest, "kind": out.kind, "size": out.size, "files": out.files}
        | ({} if out.stored else {"stored": False})
        | ({} if out.push else {"push": False})
        | ({} if out.keep is None else {"keep": out.keep})
        for path, out in outputs.items()
    }
