"""C2, source code repository: plain git is the only protocol, and no record is lost."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

PEOPLE = 6
OWN = "  own{n}:\n    cmd: echo {n} > out/{n}.txt\n    outs: [out/{n}.txt]\n"


def test_six_people_who_run_and_push_at_once_lose_no_record_and_no_commit(
    bare: Any, tmp_path: Path
) -> None:
    own = "".join(OWN.format(n=n) for n in range(PEOPLE))
    bare.edit("pipeline.yaml", "steps:\n", f"steps:\n{own}")
    bare.git("commit", "-qam", "a step for each", "--no-verify")
    hub = tmp_path / "hub.git"
    bare.git("init", "-q", "--bare", str(hub))
    bare.git("remote", "add", "origin", str(hub))
    bare.git("push", "-q", "--no-verify", "origin", "HEAD:main")
    bare.git("-C", str(hub), "symbolic-ref", "HEAD", "refs/heads/main")
    people = []
    for number in range(PEOPLE):
        root = tmp_path / f"person{number}"
        subprocess.run(["git", "clone", "-q", str(hub), str(root)], check=True)
        (root / "data").mkdir(exist_ok=True)
        (root / "data/days.csv").write_bytes((bare.root / "data/days.csv").read_bytes())
        people.append(replace(bare, root=root))

    def work(number: int) -> Any:  # one step that all have, and one of their own
        return people[number].mlops("run", "clean", f"own{number}", "--push")

    with ThreadPoolExecutor(PEOPLE) as pool:
        done = list(pool.map(work, range(PEOPLE)))
    assert len({one["run"] for one in done}) == PEOPLE
    reader = people[0]
    reader.git("pull", "-q", "--rebase")
    locks = {path.stem for path in (reader.root / ".mlops/lock").iterdir()}
    assert locks == {"clean", *(f"own{n}" for n in range(PEOPLE))}
    reader.mlops("hooks", "install")
    reader.git("fetch", "-q", "origin")
    assert {run["id"] for run in reader.mlops("runs", "list")["runs"]} == {
        one["run"] for one in done
    }
    changed = reader.git("status", "--short", "--untracked-files=no").split()
    assert changed in ([], ["M", ".gitattributes"])


def test_a_run_commits_its_locks_and_leaves_what_is_staged_alone(bare: Any) -> None:
    (bare.root / "notes.md").write_text("not ready\n")
    bare.git("add", "notes.md")
    commit = bare.mlops("run")["commit"]
    changed = bare.git("show", "--name-only", "--format=", commit).splitlines()
    assert changed and all(name.startswith(".mlops/lock/") for name in changed)
    assert "Mlops-Run:" in bare.git("log", "-1", "--format=%B")
    assert bare.git("status", "--short") == "A  notes.md"
