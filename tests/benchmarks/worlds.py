"""The folders that both tools are timed in: new for each attempt, never emptied before one."""

from __future__ import annotations

import filecmp
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from measure import check, run

FILES, SIZE = 20_000, 4096


@dataclass(frozen=True, slots=True)
class World:
    """A git repository in which one tool keeps the data."""

    tool: str
    command: str
    root: Path

    @property
    def remote(self) -> Path:
        return self.root.with_name(self.root.name + "-remote")

    def call(self, *words: str) -> list[str]:
        return [self.command, *words]

    def status_is_clean(self, out: str) -> bool:
        """Tell whether `status` said that the data is as git says."""
        if self.tool == "dvc":
            return "up to date" in out
        return "data in the workspace: clean" in out


def world(folder: Path, tool: str, command: str) -> World:
    """Return a new repository without a pipeline. `mlops` needs no `init` for data."""
    made = World(tool, command, folder / tool)
    made.root.mkdir(parents=True)
    for words in ("init -q", "config user.name Bench", "config user.email bench@example.com"):
        subprocess.run(["git", *words.split()], cwd=made.root, check=True)
    if tool == "dvc":
        run([command, "init", "-q"], made.root)
    return made


def many(folder: Path, files: int = FILES) -> None:
    """Write `files` files of random bytes into a hundred folders."""
    for number in range(files):
        path = folder / f"{number % 100:02d}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SIZE))


def large(path: Path, mebibytes: int = 1024) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as handle:
        for _ in range(mebibytes // 16):
            handle.write(os.urandom(1 << 24))


def with_remote(one: World) -> None:
    """Give the repository a folder as its remote."""
    one.remote.mkdir()
    if one.tool == "dvc":
        run(one.call("remote", "add", "-d", "r", str(one.remote)), one.root)
    else:
        run(one.call("remote", "add", "r", f"file://{one.remote}"), one.root)


def volume(folder: Path) -> int:
    """Return the bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_same(folder: Path, source: Path) -> None:
    """End the benchmark unless `folder` holds exactly the files of `source`."""
    names = sorted(str(path.relative_to(source)) for path in source.rglob("*.bin"))
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.bin"))
    check(names == there, f"{folder} does not hold the files of {source}")
    _, wrong, missing = filecmp.cmpfiles(source, folder, names, shallow=False)
    check(not wrong and not missing, f"{folder}: {len(wrong) + len(missing)} files are not right")
