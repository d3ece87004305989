"""Every command that writes meets a full disk: it says so, loses nothing, and completes later."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SIZE = 24 << 20
FREE = [0, 300 << 10]  # bytes left when the command starts


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk: run this file with sudo")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def project(small_disk: Path, git: Callable[..., str], mlops: Callable[..., Any]) -> Path:
    """A repository on the small disk with a folder of small files and a large one, tracked."""
    root = small_disk / "project"
    root.mkdir()
    git("init", "-q", "-b", "main", cwd=root)
    git("config", "user.name", "Ada Lovelace", cwd=root)
    git("config", "user.email", "ada@example.org", cwd=root)
    fill(root, 0)
    mlops("add", "raw", cwd=root, code=0)
    mlops("remote", "add", "r", f"file://{small_disk}/remote", cwd=root, code=0)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "data", cwd=root)
    return root


def fill(root: Path, number: int) -> None:
    (root / "raw").mkdir(exist_ok=True)
    for at in range(100):
        (root / f"raw/{at}").write_text(f"{number} {at}\n" * 100)
    (root / "raw/large").write_bytes(random.Random(number).randbytes(2_500_000))


def held(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "raw").iterdir()}


def leave(disk: Path, free: int) -> Path:
    """Take the space of the disk but for `free` bytes; return the file that has it."""
    ballast = disk / "ballast"
    with ballast.open("wb") as handle:
        available = shutil.disk_usage(disk).free - free
        handle.write(bytes(max(0, available)))
    return ballast


@pytest.mark.parametrize("words", [("add", "raw"), ("checkout",), ("push",), ("pull",), ("gc",)])
def test_a_command_that_meets_a_full_disk_completes_when_there_is_room(
    words: tuple[str, ...], small_disk: Path, project: Path, mlops: Callable[..., Any]
) -> None:
    spoil, arguments = prepared(words[0], project, mlops)
    refused = 0
    for free in FREE:
        expected = spoil(free)
        ballast = leave(small_disk, free)
        before = (project / "raw.mlops").read_bytes()
        result = mlops(*arguments, "--json", cwd=project)
        document = json.loads(result.stdout)
        if not document["ok"]:
            refused += 1
            assert (result.code, document["error"]["code"]) == (50, "disk-full"), document
            assert (project / "raw.mlops").read_bytes() == before
        ballast.unlink()
        mlops(*arguments, cwd=project, code=0)
        assert held(project) == expected
        assert mlops("verify", "--json", cwd=project, code=0).data["clean"]
    assert refused or words[0] == "gc"  # gc writes little, and only where it packs anew
    assert not list(small_disk.rglob(".tmp-*"))


def prepared(
    verb: str, project: Path, mlops: Callable[..., Any]
) -> tuple[Callable[[int], dict[str, bytes]], tuple[str, ...]]:
    """Return what makes work for the command, which returns what raw/ holds in the end."""

    def changed(number: int) -> dict[str, bytes]:
        fill(project, number + 1)
        return held(project)

    def lost(number: int) -> dict[str, bytes]:
        expected = held(project)
        shutil.rmtree(project / "raw")
        if verb == "pull":
            shutil.rmtree(project / ".mlops/cache")
        return expected

    def added(number: int) -> dict[str, bytes]:
        expected = changed(number)
        mlops("add", "raw", cwd=project, code=0)
        # what the version before left goes, so that every round fits on the disk
        mlops("gc", "--grace", "0s", "--unpushed", cwd=project, code=0)
        if verb == "push":
            shutil.rmtree(project.parent / "remote", ignore_errors=True)
            (project.parent / "remote").mkdir()
        return expected

    if verb == "pull":
        mlops("push", cwd=project, code=0)
    if verb == "gc":
        return added, ("gc", "--grace", "0s", "--unpushed", "--compact")
    kinds = {"add": changed, "checkout": lost, "pull": lost, "push": added}
    return kinds[verb], ("add", "raw") if verb == "add" else (verb,)
