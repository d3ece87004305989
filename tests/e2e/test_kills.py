"""Line 7 of the acceptance: add, push and run are killed at random moments, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = 18  # of each command; the random numbers are seeded, so a failure comes back


def killed(project: Any, words: tuple[str, ...], wait: float) -> bool:
    """Start a command, kill it after `wait` seconds; return whether it was still at work."""
    running = subprocess.Popen(
        words,
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running.wait(wait)
    except subprocess.TimeoutExpired:
        pass
    running.kill()
    return running.wait() != 0


def kill_often(
    project: Any, words: tuple[str, ...], spoil: Callable[[int], None], seed: int
) -> int:
    """Kill `words` KILLS times between its start and its usual end, new work before each."""
    spoil(-1)
    begun = time.monotonic()
    project.run(*words)
    usual = time.monotonic() - begun
    dice = random.Random(seed)
    count = 0
    for number in range(KILLS):
        spoil(number)
        count += killed(project, words, dice.uniform(0.1, 1.0) * usual)
    project.run(*words)
    found = project.mlops("verify")
    assert found["clean"], found
    return count


@pytest.fixture
def heap(bare: Any) -> Any:
    """A project with a folder of small files and a large one."""
    (bare.root / "raw").mkdir()
    for number in range(300):
        (bare.root / f"raw/{number}").write_text(f"{number}\n" * 200)
    return bare


def more(project: Any, number: int) -> None:
    """Change a part of the data, so that there is something to add."""
    for at in range(0, 300, 7):
        (project.root / f"raw/{at}").write_text(f"{number} {at}\n" * 200)
    (project.root / "raw/large").write_bytes(random.Random(number).randbytes(3 << 20))


def test_add_that_is_killed_at_any_moment_leaves_a_sound_cache(heap: Any) -> None:
    count = kill_often(heap, ("mlops", "add", "raw"), lambda number: more(heap, number), 1)
    assert count > KILLS / 4
    shutil.rmtree(heap.root / "raw")
    heap.mlops("checkout", "raw")
    assert (heap.root / "raw/7").read_text() == f"{KILLS - 1} 7\n" * 200


def test_push_that_is_killed_at_any_moment_leaves_a_sound_remote(
    heap: Any, clone: Any, tmp_path: Path
) -> None:
    heap.mlops("remote", "add", "origin", f"file://{tmp_path}/remote")

    def spoil(number: int) -> None:
        more(heap, number)
        heap.mlops("add", "raw")

    count = kill_often(heap, ("mlops", "push"), spoil, 2)
    assert count > KILLS / 4
    heap.commit("what was pushed")
    other = clone(heap, "other")
    other.mlops("pull")
    for path in (heap.root / "raw").iterdir():
        assert (other.root / "raw" / path.name).read_bytes() == path.read_bytes()
    assert other.mlops("verify")["clean"]


def test_run_that_is_killed_at_any_moment_is_completed_by_the_next(bare: Any) -> None:
    def spoil(number: int) -> None:
        text = (bare.root / "params.yaml").read_text()
        lines = [line for line in text.splitlines() if "ridge" not in line]
        at = lines.index("fit:") if "fit:" in lines else None
        assert at is not None, text
        lines.insert(at + 1, f"  ridge: {number + 2}.5")
        (bare.root / "params.yaml").write_text("\n".join(lines) + "\n")

    count = kill_often(bare, ("mlops", "run"), spoil, 3)
    assert count > KILLS / 4
    assert {step["action"] for step in bare.mlops("run")["steps"]} == {"skip"}
    assert bare.git("status", "--porcelain", "--", ".mlops") == ""
    for lock in (bare.root / ".mlops/lock").glob("*.json"):
        for path, output in json.loads(lock.read_text())["outputs"].items():
            data = (bare.root / path).read_bytes()
            assert output["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert len(bare.mlops("runs", "list")["runs"]) > 1
