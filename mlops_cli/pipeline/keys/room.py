"""An environment of a step's own: where it is, named by a digest, and how a step runs in it.

`envs/<digest>/` below the cache; the digest is of what the key knows of the environment, of the
platform and of the interpreter it was made with. `furnish` makes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.pipeline.keys import lockfile
from mlops_cli.pipeline.keys.environment import lock_of
from mlops_cli.pipeline.step import Step

MADE = ("venv", "uv", "conda")
READY = "ready"
MEMORY = 32  # hex digits of a name: paths in scripts are short


@dataclass(frozen=True, slots=True)
class Room:
    """Where a step runs. `folder` is None for a container, which is not made here."""

    kind: str
    folder: Path | None
    lock: str | None
    image: str | None
    maker: str  # the interpreter it is made with
    pinned: str | None = None  # what the lock pinned when the key was made

    @property
    def python(self) -> str:
        """The interpreter of the step."""
        return "python" if self.folder is None else str(self.folder / "bin" / "python")

    def refuse(self, path: str | None) -> None:
        """Raise MissingExtra ("missing-program") where nothing here could make it or run it."""
        if self.folder is None or not ready(self):
            program(self, path)


def room(
    env: Mapping[str, Any], part: Mapping[str, str], *, cache: Path, python: str
) -> Room | None:
    """Return where a step of environment `env` runs, None where that is the one of mlops.

    `part` is what its key says of it.
    """
    kind = env.get("kind", "system")
    if kind == "system":
        return None
    if kind == "container":
        return Room(kind, None, None, env["image"], python)
    made_by = {
        "part": dict(part),
        "platform": f"{sys.platform}-{os.uname().machine}",
        "python": None if kind == "conda" else os.path.realpath(python),
        "version": None if kind == "conda" else sys.version.split()[0],
    }
    name = hashlib.sha256(canonical_json(made_by)).hexdigest()[:MEMORY]
    return Room(kind, cache / "envs" / name, lock_of(env), None, python, part.get("lock"))


def program(room: Room, path: str | None) -> str | None:
    """Return what makes the environment, or runs the container; None: Python's own venv and pip.

    Raises MissingExtra ("missing-program") when it is needed and not on `path`.
    """
    needed = {"container": ("docker", "podman"), "conda": ("micromamba",)}
    for name in needed.get(room.kind, ("uv",)):
        if found := shutil.which(name, path=path):
            return found
    if room.kind == "venv" and lockfile.form(str(room.lock)) != "pylock":
        return None
    names = " or ".join(needed.get(room.kind, ("uv",)))
    raise MissingExtra(
        f"the environment of kind {room.kind} needs {names}, which is not installed here",
        code="missing-program",
        hint=f"install {names}; a requirements.txt and kind: venv need nothing but Python",
        details={"kind": room.kind, "program": names},
    )


def ready(room: Room) -> bool:
    """Return whether the environment is there as a whole; a container always is. The interpreter
    in it is a link, and what it leads to may have been removed since."""
    return room.folder is None or ((room.folder / READY).exists() and Path(room.python).exists())


def enter(
    room: Room,
    words: Sequence[str],
    *,
    root: Path,
    cwd: Path,
    environ: Mapping[str, str],
    names: Sequence[str] = (),
) -> tuple[list[str], dict[str, str]]:
    """Return the command and the variables with which `words` run in the environment.

    A container sees the project, at its own path, and of the variables those of mlops and `names`.
    """
    if room.folder is not None:
        bin_ = str(room.folder / "bin")
        inside = {**without_ours(environ), "PATH": os.pathsep.join([bin_, environ.get("PATH", "")])}
        word = "CONDA_PREFIX" if room.kind == "conda" else "VIRTUAL_ENV"
        return list(words), {**inside, word: str(room.folder)}
    tool = program(room, environ.get("PATH"))
    assert tool is not None and room.image is not None
    shown = [name for name in environ if name.startswith("MLOPS_") or name in names]
    given = [item for name in sorted(shown) for item in ("--env", name)]
    user = f"{os.getuid()}:{os.getgid()}"
    mounts = ["--volume", f"{root}:{root}", "--workdir", str(cwd)]
    run = [tool, "run", "--rm", "--init", "--user", user, *mounts, *given, room.image]
    return [*run, *words], dict(environ)


def refuse_without_mlops(room: Room, step: Step) -> None:
    """Raise StepFailed where the environment cannot run the kinds of steps that mlops brings; of
    a container only its start can tell."""
    if room.folder is None or any(room.folder.glob("lib/python*/site-packages/mlops_cli-*")):
        return
    raise StepFailed(
        f"step {step.name} is of kind {step.kind}, and {room.lock} does not bring mlops-cli",
        code="environment-lacks-mlops",
        hint=f"add mlops-cli to {room.lock}, or give the step an environment: {{kind: system}}",
        details={"step": step.name, "lock": room.lock},
    )


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without what belongs to the environment in which mlops runs."""
    gone = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in environ.items() if name not in gone}
