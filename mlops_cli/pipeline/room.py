"""An environment of a step's own: made once from its lock, kept in the cache, named by a digest.

`envs/<digest>/` below the cache; the digest is of what the key knows of the environment, of the
platform and of the interpreter it was made with. It is made in its place, as the scripts in it
know where they are; `ready` in it is written last, and without it nobody uses the folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.encode import canonical_json
from mlops_cli.errors import ConfigError, MissingExtra, StateRefused, StepFailed
from mlops_cli.pipeline import lockfile
from mlops_cli.pipeline.environment import lock_of
from mlops_cli.pipeline.process import Ended
from mlops_cli.pipeline.step import Step

MADE = ("venv", "uv", "conda")
READY = "ready"
TURN = 3600.0  # seconds to wait for another process that makes the same
MEMORY = 32  # hex digits of a name: paths in scripts are short

Do = Callable[[list[str], Mapping[str, str]], Ended]


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


def prepare(room: Room, *, root: Path, environ: Mapping[str, str], do: Do) -> Ended | None:
    """Make the environment unless it is there; `do` runs a command, and what it says is logged.

    Returns how the last command ended where it did not end well: its folder is then gone. Raises
    MissingExtra, StateRefused ("locked", "lock-changed"), OutsideWorld.
    """
    folder = room.folder
    if folder is None or ready(room):
        return None
    with fsio.lock(folder.with_suffix(".lock"), what=f"making {folder.name}", wait=TURN):
        if ready(room):
            return None  # another process made it while this one waited
        shutil.rmtree(folder, ignore_errors=True)  # half of it, of one that was killed
        fsio.make_folder(folder.parent)
        for words, more in commands(room, root=root, path=environ.get("PATH")):
            ended = do(words, {**_plain(environ), **more})
            if ended.code != 0:
                shutil.rmtree(folder, ignore_errors=True)
                return ended
        if room.pinned not in (None, _pinned(room, root)):
            shutil.rmtree(folder, ignore_errors=True)
            raise StateRefused(
                f"{room.lock} changed while an environment was made from it",
                code="lock-changed",
                hint="run the same command again",
                details={"lock": room.lock},
            )
        fsio.write_atomic(folder / READY, f"{room.lock}\n", durable=False)
    return None


def _pinned(room: Room, root: Path) -> str | None:
    """Return what the lock pins now, None where it is gone."""
    name = str(room.lock)
    try:
        return lockfile.digest((root / name).read_bytes(), name)
    except (OSError, ConfigError):
        return None


def commands(room: Room, *, root: Path, path: str | None) -> list[tuple[list[str], dict[str, str]]]:
    """Return the commands that make the environment, each with the variables it needs.

    Nothing is installed but what the lock names: dependencies that it lacks are an error.
    """
    assert room.folder is not None and room.lock is not None
    tool, folder, lock = program(room, path), str(room.folder), str(root / room.lock)
    if room.kind == "conda":
        assert tool is not None
        return [([tool, "create", "--yes", "--prefix", folder, "--file", lock], {})]
    if room.kind == "uv":
        assert tool is not None
        words = [tool, "sync", "--frozen", "--no-install-project", "--python", room.maker]
        project = str(Path(lock).parent)
        return [([*words, "--project", project], {"UV_PROJECT_ENVIRONMENT": folder})]
    if tool is not None:
        python = ["--python", room.python]
        return [
            ([tool, "venv", "--python", room.maker, folder], {}),
            ([tool, "pip", "sync", *python, lock], {}),
            ([tool, "pip", "check", *python], {}),
        ]
    from importlib.util import find_spec

    # the pip of mlops installs into the other environment; one of its own takes 3 s to unpack
    own = find_spec("pip") is None
    pip = [room.python, "-m", "pip"] if own else [room.maker, "-m", "pip", "--python", room.python]
    pip += ["--disable-pip-version-check", "--no-input"]
    return [
        ([room.maker, "-m", "venv", *([] if own else ["--without-pip"]), folder], {}),
        ([*pip, "install", "--no-deps", "-r", lock], {}),
        ([*pip, "check"], {}),
    ]


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
        inside = {**_plain(environ), "PATH": os.pathsep.join([bin_, environ.get("PATH", "")])}
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


def not_made(room: Room, step: str, log: str, ended: Ended) -> StepFailed:
    """Return the error of an environment that could not be made."""
    said = "".join(f"\n  | {line}" for line in ended.tail[-8:])
    return StepFailed(
        f"the environment of step {step} cannot be made from {room.lock}{said}",
        code="environment-failed",
        hint=f"the log is {log}; mend {room.lock} and run the same command again",
        details={"step": step, "lock": room.lock, "log": log, "exit_status": ended.code},
    )


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without what belongs to the environment in which mlops runs."""
    gone = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in environ.items() if name not in gone}
