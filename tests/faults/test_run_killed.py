"""`mlops run` that dies: whatever the moment, the next one puts right and completes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SLOW = """\
version: 1
project: {name: p}
steps:
  slow:
    cmd: echo half > out/slow; echo $$ > pid; touch started; sleep 60; echo whole > out/slow
    deps: [go]
    outs: [out/slow]
"""


@pytest.fixture
def project(repo: Path, git: Callable[..., str]) -> Path:
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\npid\nstarted\n")
    (repo / "go").write_text("1\n")
    return repo


@pytest.fixture
def begin(
    console_script: str, environment: dict[str, str]
) -> Callable[..., subprocess.Popen[bytes]]:
    def start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [console_script, "run", *arguments],
            cwd=root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return start


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def fast(root: Path) -> None:
    (root / "pipeline.yaml").write_text(SLOW.replace("sleep 60", "true"))


def statuses(root: Path, git: Callable[..., str]) -> list[str]:
    ref = git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").strip()
    paths = git("ls-tree", "-r", "--name-only", ref).split()
    return sorted(json.loads(git("show", f"{ref}:{path}"))["status"] for path in paths)


def test_half_written_outputs_of_a_killed_run_are_taken_back(
    project: Path, mlops: Any, git: Any, begin: Any
) -> None:
    fast(project)
    mlops("run", code=0)
    (project / "started").unlink()
    (project / "pipeline.yaml").write_text(SLOW)
    running = begin(project)
    until((project / "started").exists)
    running.kill()
    running.wait()
    assert (project / "out/slow").read_text() == "half\n"
    state = mlops("status", "--json", code=0).data["pipeline"]["rows"][0]
    assert state["name"] == "slow"
    child = int((project / "pid").read_text())
    (project / "go").write_text("2\n")
    (project / "pipeline.yaml").write_text(SLOW.replace("sleep 60", "exit 3"))
    result = mlops("run", code=60)
    assert "slow was interrupted; its former outputs are back." in result.stderr
    assert (project / "out/slow").read_text() == "whole\n", "the output of the first run"
    until(lambda: gone(child))
    assert statuses(project, git) == ["done", "failed", "killed"]


def test_an_output_that_was_not_there_before_disappears_again(
    project: Path, mlops: Any, begin: Any
) -> None:
    (project / "pipeline.yaml").write_text(SLOW)
    running = begin(project)
    until((project / "started").exists)
    running.kill()
    running.wait()
    assert (project / "out/slow").exists()
    (project / "pipeline.yaml").write_text(SLOW.replace("echo half", "exit 1; echo"))
    mlops("run", code=60)
    assert not (project / "out/slow").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_ends_its_children_and_says_so(
    project: Path, mlops: Any, git: Any, begin: Any, number: int
) -> None:
    (project / "pipeline.yaml").write_text(SLOW)
    running = begin(project)
    until((project / "started").exists)
    running.send_signal(number)
    assert running.wait(timeout=20) == 130
    assert gone(int((project / "pid").read_text()))
    assert not (project / "out/slow").exists()
    assert not list((project / ".mlops/tmp/running").glob("*"))
    assert statuses(project, git) == ["killed"]
    fast(project)
    mlops("run", code=0)


def test_killed_at_any_moment_the_next_run_completes(
    project: Path, mlops: Any, git: Any, begin: Any
) -> None:
    """The order is objects, trees, locks, records, commit; a dangling reference never shows."""
    steps = "version: 1\nproject: {name: p}\nsteps:\n"
    for n in range(24):
        dep = f"    deps: [out/d{n - 1}]\n" if n % 4 else "    deps: [go]\n"
        make = f"mkdir -p out/d{n} && echo {n} > out/d{n}/a && cat go > out/d{n}/b"
        steps += f"  s{n}:\n    cmd: {make}\n{dep}    outs: [out/d{n}]\n"
    (project / "pipeline.yaml").write_text(steps)
    dice = random.Random(7)
    for round_ in range(8):
        (project / "go").write_text(f"{round_}\n")
        running = begin(project, "-j2")
        time.sleep(dice.uniform(0.1, 1.2))
        running.kill()
        running.wait()
    mlops("run", code=0)
    assert mlops("run", code=0).stdout.startswith("Nothing to do")
    assert (project / "out/d23/b").read_text() == "7\n"
    for lock in (project / ".mlops/lock").glob("*.json"):
        for out in json.loads(lock.read_text())["outputs"].values():
            assert _held(project, out["digest"]), f"{lock.name} names {out} which is nowhere"
    assert git("status", "--short", "--", ".mlops").strip() == ""
    assert not list((project / ".mlops/tmp/running").glob("*"))


def _held(root: Path, digest: str) -> bool:
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest

    return open_cache(root / ".mlops/cache").has(Digest(digest))


def test_processes_that_a_step_leaves_behind_end_with_it(project: Path, mlops: Any) -> None:
    (project / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  a:\n    cmd: (echo; sleep 60) & echo $! > pid; echo > out/a\n    outs: [out/a]\n"
    )
    mlops("run", code=0)
    until(lambda: gone(int((project / "pid").read_text())), 5)


def test_a_damaged_object_is_not_restored_the_step_runs_instead(project: Path, mlops: Any) -> None:
    fast(project)
    mlops("run", code=0)
    digest = json.loads((project / ".mlops/lock/slow.json").read_text())["outputs"]["out/slow"]
    hex_ = digest["digest"].removeprefix("sha256:")
    stored = project / ".mlops/cache/objects" / hex_[:2] / hex_[2:]
    stored.chmod(0o644)
    stored.write_text("wrong\n")
    (project / "out/slow").unlink()
    result = mlops("run", code=0)
    assert "slow cannot be restored and runs" in result.stderr
    assert (project / "out/slow").read_text() == "whole\n"
