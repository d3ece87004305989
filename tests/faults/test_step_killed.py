"""kill -9 of the runner, and of a step, at random moments: what had finished runs once."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# the random numbers are seeded, so a failure comes back; MLOPS_KILLS=100 is the long round
KILLS = int(os.environ.get("MLOPS_KILLS", "5"))
STEPS = 6
STEP = "cat go > out/{n}; sleep 0.0{n}; echo {n} >> out/{n}; echo {n} >> ended"


@pytest.fixture
def project(repo: Path) -> Path:
    """Steps that write to a file when they end."""
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\nended\n")
    steps = "version: 1\nproject: {name: p}\nsteps:\n"
    for n in range(STEPS):
        steps += f"  s{n}:\n    cmd: {STEP.format(n=n)}\n    outs: [out/{n}]\n"
        steps += f"    deps: [{f'out/{n - 2}' if n > 1 else 'go'}]\n"
        steps += "    retries: {times: 3, on: [signal], backoff: 0.01s}\n"
    (repo / "pipeline.yaml").write_text(steps)
    return repo


def statuses(git: Callable[..., str]) -> dict[str, collections.Counter[str]]:
    """Return how often each status stands in the ledger, by step."""
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").split():
        for path in git("ls-tree", "-r", "--name-only", ref).split():
            one = json.loads(git("show", f"{ref}:{path}"))
            if one["kind"] == "run":
                found[one["step"]][one["status"]] += 1
    return found


def words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def test_a_runner_that_is_killed_at_any_moment(
    project: Path, mlops: Any, git: Any, console_script: str, environment: dict[str, str]
) -> None:
    dice = random.Random(11)
    hit = again = 0
    for number in range(KILLS):
        (project / "go").write_text(f"{number}\n")  # every key changes, so every step runs
        running = subprocess.Popen(
            [console_script, "run", "-j2"],
            cwd=project,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.15, 0.6))
        running.kill()
        hit += running.wait() != 0
        finished = words(project / "ended")
        mlops("run", code=0)
        again += len(set(finished) & set(words(project / "ended")[len(finished) :]))
        (project / "ended").unlink()
        for n in range(STEPS):
            assert (project / f"out/{n}").read_text().startswith(f"{number}\n")
    assert mlops("run", code=0).stdout.startswith("Nothing to do")
    assert hit
    told = statuses(git)
    assert all(one["done"] == KILLS for one in told.values()), told
    assert len(told) == STEPS
    # between the last words of a step and the note that it ended well lie a few milliseconds
    assert again <= hit, "steps that had finished ran again"
    assert not list((project / ".mlops/tmp/running").glob("*"))


def test_a_step_that_is_killed_at_any_moment(project: Path, mlops: Any, git: Any) -> None:
    dice = random.Random(12)
    over = threading.Event()
    killed: list[int] = []

    def murder() -> None:
        while not over.wait(dice.uniform(0.01, 0.08)) and len(killed) < KILLS * 2:
            for entry in os.listdir("/proc"):
                try:
                    if not entry.isdigit() or int(entry) == os.getpid():
                        continue
                    folder = str(Path("/proc", entry, "cwd").readlink())
                    words = Path(f"/proc/{entry}/cmdline").read_bytes()
                    if folder == str(project) and words.startswith(b"/bin/sh\0-c\0cat go"):
                        os.kill(int(entry), signal.SIGKILL)
                        killed.append(int(entry))
                        break
                except OSError:
                    continue

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        for number in range(KILLS):
            (project / "go").write_text(f"{number}\n")
            while mlops("run", "-j2", "--keep-going").code:
                pass
            assert (project / f"out/{STEPS - 1}").read_text().startswith(f"{number}\n")
    finally:
        over.set()
        thread.join()
    assert killed
    told = statuses(git)
    # a process that has just ended may be killed too, which changes nothing
    assert sum(one["failed"] for one in told.values()) >= len(killed) * 0.7
    assert all(one["done"] == KILLS for one in told.values()), told
