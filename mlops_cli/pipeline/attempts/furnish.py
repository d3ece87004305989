"""Environments made from their locks: once, by whoever comes first, and never used half-made.

One is made in its place, as the scripts in it know where they are; the mark in it is written last.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, StateRefused, StepFailed
from mlops_cli.pipeline.attempts.process import Ended
from mlops_cli.pipeline.keys import lockfile
from mlops_cli.pipeline.keys.room import READY, Room, program, ready, without_ours

TURN = 3600.0  # seconds to wait for another process that makes the same
Do = Callable[[list[str], Mapping[str, str]], Ended]


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
            ended = do(words, {**without_ours(environ), **more})
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


def not_made(room: Room, step: str, log: str, ended: Ended) -> StepFailed:
    """Return the error of an environment that could not be made."""
    said = "".join(f"\n  | {line}" for line in ended.tail[-8:])
    return StepFailed(
        f"the environment of step {step} cannot be made from {room.lock}{said}",
        code="environment-failed",
        hint=f"the log is {log}; mend {room.lock} and run the same command again",
        details={"step": step, "lock": room.lock, "log": log, "exit_status": ended.code},
    )
