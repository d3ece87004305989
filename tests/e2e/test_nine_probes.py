"""The nine probes that DVC 3.67 fails, each from end to end, and where more is proven of each.

They are thin on purpose: one promise, one test; the rooms' own tests go into the corners.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def started(repo: Path, git: Callable[..., str], mlops: Any) -> Path:
    """A repository with a commit, a remote beside it, and nothing else."""
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n!/.mlops/config.yaml\n")
    mlops("remote", "add", "origin", "../remote", code=0)
    commit(git, "begin")
    return repo


def commit(git: Callable[..., str], subject: str) -> None:
    git("add", "-A")
    git("commit", "-qm", subject)


def stored(folder: Path) -> int:
    """Return the bytes that a remote takes on its disk."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def at_once(words: list[list[str]], cwd: Path, environment: dict[str, str]) -> list[int]:
    """Start all commands at once and return how each ended."""
    running = [
        subprocess.Popen(
            one, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for one in words
    ]
    return [one.wait(120) for one in running]


def test_1_a_corrupt_byte_is_neither_served_nor_pushed(started: Path, mlops: Any) -> None:
    """DVC checks it out and pushes it. More: tests/faults, tests/unit/store/test_verify.py."""
    data = random.Random(1).randbytes(1 << 20)
    (started / "big.bin").write_bytes(data)
    mlops("add", "big.bin", code=0)
    (place,) = [p for p in (started / ".mlops/cache/objects").rglob("*") if p.is_file()]
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.seek(77)
        file.write(bytes([data[77] ^ 1]))

    assert mlops("push", "--json", code=40).error["code"] == "damaged-object"
    (started / "big.bin").rename(started / "mine.bin")
    assert mlops("checkout", "--json", code=40).error["details"]["file"] == "big.bin"

    assert not (started / "big.bin").exists()
    (started / "mine.bin").rename(started / "big.bin")
    assert mlops("verify", "--repair", "--json", code=0).data["repaired"]
    mlops("push", code=0)
    assert mlops("verify", "--on", "origin", "--json", code=0).data["clean"]


def test_2_gc_on_main_keeps_what_another_branch_needs(
    started: Path, mlops: Any, git: Callable[..., str]
) -> None:
    """DVC's `gc -w` deletes the only copy. More: tests/property/test_gc_keeps_the_reachable.py."""
    git("checkout", "-qb", "idea")
    (started / "data.bin").write_bytes(random.Random(2).randbytes(300_000))
    mlops("add", "data.bin", code=0)
    commit(git, "an idea, not pushed")
    git("checkout", "-q", "main")
    (started / "data.bin").unlink(missing_ok=True)

    mlops("gc", "--json", code=0)

    git("checkout", "-q", "idea")
    mlops("checkout", code=0)
    assert (started / "data.bin").read_bytes() == random.Random(2).randbytes(300_000)


def test_3_eight_runs_of_independent_steps_at_once_all_end_well(
    started: Path, mlops: Any, git: Callable[..., str], console_script: str, environment: Any
) -> None:
    """In DVC six of eight fail on the lock. More: tests/cli/test_run.py."""
    steps = "".join(
        f"  s{n}:\n    cmd: echo {n} >> count; echo {n} > out/{n}\n    outs: [out/{n}]\n"
        for n in range(8)
    )
    (started / "pipeline.yaml").write_text(f"version: 1\nproject: {{name: eight}}\nsteps:\n{steps}")
    commit(git, "eight steps")

    every = [[console_script, "run", f"s{n}"] for n in range(8)]
    codes = at_once([*every, [console_script, "run", "-j8"]], started, environment)

    assert codes == [0] * 9
    assert {path.name for path in (started / "out").iterdir()} == set("01234567")
    assert sorted((started / "count").read_text().split()) == list("01234567"), "each once"
    assert len(list((started / ".mlops/lock").iterdir())) == 8
    assert git("status", "--short", "--", ".mlops") == "", "all of them are committed"
    runs = mlops("runs", "list", "--json", code=0).data["runs"]
    told = [step["step"] for run in runs for step in run["steps"]]
    assert sorted(told) == [f"s{n}" for n in range(8)], "and each has its record"
    assert "Nothing" in mlops("run", "--dry-run", code=0).stdout


def test_4_four_bytes_appended_to_50_mb_cost_little(started: Path, mlops: Any) -> None:
    """DVC stores and sends 48 MB more. More: tests/unit/workspace/test_chunked_transfer.py."""
    (started / "big.bin").write_bytes(random.Random(4).randbytes(50_000_000))
    mlops("add", "big.bin", code=0)
    mlops("push", code=0)
    before = stored(started.parent / "remote")
    with (started / "big.bin").open("ab") as file:
        file.write(b"more")

    mlops("add", "big.bin", code=0)
    mlops("push", code=0)

    assert stored(started.parent / "remote") - before < 1_500_000
    digest = hashlib.sha256(random.Random(4).randbytes(50_000_000) + b"more").hexdigest()
    (started / "big.bin").unlink()
    subprocess.run(["rm", "-rf", started / ".mlops/cache"], check=True)
    mlops("pull", code=0)
    assert hashlib.sha256((started / "big.bin").read_bytes()).hexdigest() == digest


def test_5_a_declared_variable_that_changed_makes_its_step_stale(
    started: Path, mlops: Any, git: Callable[..., str]
) -> None:
    """DVC does not look at it. More: tests/cli/test_run.py."""
    (started / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n  one:\n"
        "    cmd: mkdir -p out && echo $REGION > out/one\n"
        "    outs: [out/one]\n    variables: [REGION]\n"
    )
    commit(git, "a step")
    mlops("run", env={"REGION": "north"}, code=0)
    assert mlops("status", "--check", env={"REGION": "north"}).code == 0
    mlops("status", "--check", env={"REGION": "south"}, code=1)
    mlops("run", env={"REGION": "south"}, code=0)
    assert (started / "out/one").read_text() == "south\n"


def test_6_executable_bits_links_and_empty_folders_come_back(
    started: Path, mlops: Any, git: Callable[..., str], tmp_path: Path
) -> None:
    """DVC loses all three. More: tests/property/test_store_round_trips.py."""
    data = started / "data"
    (data / "empty").mkdir(parents=True)
    (data / "tool").write_text("#!/bin/sh\necho works\n")
    (data / "tool").chmod(0o755)
    (data / "latest").symlink_to("tool")
    (started / "alone").write_text("#!/bin/sh\n")
    (started / "alone").chmod(0o755)
    mlops("add", "data", "alone", code=0)
    mlops("push", code=0)
    commit(git, "data")
    git("clone", "-q", str(started), str(tmp_path / "clone"))
    clone = tmp_path / "clone"

    mlops("pull", cwd=clone, code=0)

    assert (clone / "data/empty").is_dir() and not list((clone / "data/empty").iterdir())
    assert os.access(clone / "data/tool", os.X_OK) and os.access(clone / "alone", os.X_OK)
    assert (clone / "data/latest").is_symlink()
    done = subprocess.run([clone / "data/latest"], capture_output=True, text=True, check=True)
    assert done.stdout == "works\n"


def test_7_one_step_run_on_two_branches_merges_into_a_file_that_parses(
    started: Path, mlops: Any, git: Callable[..., str], environment: Any
) -> None:
    """DVC leaves conflict marks in dvc.lock. More: tests/e2e/test_merges.py."""
    (started / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  one: {cmd: mkdir -p out && cp n.txt out/n, deps: [n.txt], outs: [out/n]}\n"
    )
    (started / "n.txt").write_text("1\n")
    mlops("hooks", "install", code=0)
    git("add", "-A")
    git("commit", "-qm", "a step", "--no-verify")
    for branch, text in (("ours", "2\n"), ("theirs", "3\n")):
        git("checkout", "-q", "-b", branch, "main")
        (started / "n.txt").write_text(text)
        git("commit", "-qam", branch, "--no-verify")
        mlops("run", code=0)
    git("checkout", "-q", "ours")
    merged = subprocess.run(
        ["git", "merge", "-q", "theirs"], cwd=started, env=environment, capture_output=True
    )
    assert merged.returncode == 1  # n.txt itself is for a person to decide
    assert "<<<<" not in (started / ".mlops/lock/one.json").read_text()
    assert "both sides ran it" in mlops("status").stdout
    (started / "n.txt").write_text("3\n")
    mlops("run", "--no-commit", code=0)
    assert (started / "out/n").read_text() == "3\n"


def test_8_a_commit_that_leaves_a_step_stale_is_blocked(
    started: Path, mlops: Any, git: Callable[..., str], environment: Any
) -> None:
    """DVC's hook never blocks. More: tests/cli/test_hooks.py."""
    (started / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  one: {cmd: mkdir -p out && cp n.txt out/n, deps: [n.txt], outs: [out/n]}\n"
    )
    (started / "n.txt").write_text("1\n")
    commit(git, "a step")
    mlops("run", code=0)
    mlops("hooks", "install", code=0)
    git("add", "-A")
    git("commit", "-qm", "hooks", "--no-verify")
    (started / "n.txt").write_text("2\n")

    def committing() -> int:
        words = ["git", "commit", "-qam", "another n"]
        return subprocess.run(words, cwd=started, env=environment, capture_output=True).returncode

    assert committing() == 1
    mlops("run", code=0)
    assert committing() == 0


def test_9_a_killed_add_or_push_leaves_nothing_half_done(
    started: Path, mlops: Any, console_script: str, environment: Any
) -> None:
    """DVC leaves partial objects. More: tests/e2e/test_kills.py, tests/faults."""
    (started / "data").mkdir()
    chance = random.Random(9)
    for number in range(300):
        (started / "data" / str(number)).write_bytes(chance.randbytes(2000))
    (started / "data/large").write_bytes(chance.randbytes(4_000_000))
    for words in (["add", "data"], ["push"]):
        for _ in range(int(os.environ.get("MLOPS_KILLS", "2"))):
            running = subprocess.Popen(
                [console_script, *words],
                cwd=started,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                running.wait(chance.uniform(0.05, 0.6))
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            assert mlops("verify", "--json", code=0).data["clean"]
        mlops(*words, code=0)
    assert mlops("verify", "--on", "origin", "--json", code=0).data["clean"]
