"""C2, source code repository: plain git is the only protocol, and no record is lost.

Missing: `mlops run --commit --push`; here people push the refs of the ledger with git itself.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

PEOPLE = 6


def test_six_people_who_push_at_once_lose_no_record(bare: Any, tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    bare.git("init", "-q", "--bare", str(hub))
    bare.git("remote", "add", "origin", str(hub))
    bare.git("push", "-q", "origin", "HEAD:main")
    bare.git("-C", str(hub), "symbolic-ref", "HEAD", "refs/heads/main")
    people = []
    for number in range(PEOPLE):
        root = tmp_path / f"person{number}"
        subprocess.run(["git", "clone", "-q", str(hub), str(root)], check=True)
        (root / "data").mkdir(exist_ok=True)
        (root / "data/days.csv").write_bytes((bare.root / "data/days.csv").read_bytes())
        people.append(replace(bare, root=root))

    def work(person: Any) -> str:
        done = person.mlops("run", "clean", "--no-commit")
        person.git("push", "-q", "origin", "refs/mlops/*:refs/mlops/*")
        return str(done["run"])

    with ThreadPoolExecutor(PEOPLE) as pool:
        runs = set(pool.map(work, people))
    assert len(runs) == PEOPLE
    reader = people[0]
    reader.git("fetch", "-q", "origin", "+refs/mlops/*:refs/mlops/*")
    assert {run["id"] for run in reader.mlops("runs", "list")["runs"]} == runs
    assert reader.git("status", "--short", "--untracked-files=no").count("\n") <= 1


def test_a_run_commits_its_locks_and_leaves_what_is_staged_alone(bare: Any) -> None:
    (bare.root / "notes.md").write_text("not ready\n")
    bare.git("add", "notes.md")
    commit = bare.mlops("run")["commit"]
    changed = bare.git("show", "--name-only", "--format=", commit).splitlines()
    assert changed and all(name.startswith(".mlops/lock/") for name in changed)
    assert "Mlops-Run:" in bare.git("log", "-1", "--format=%B")
    assert bare.git("status", "--short") == "A  notes.md"
