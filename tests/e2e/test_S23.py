"""Step 23, push to the registry: a version with all that led to it, or no version.

`git` is replaced by a script that kills the command at its n-th call, before git does anything:
every write of register goes through git, so this stops between any two of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

SCRIPT = """\
#!/bin/sh
echo x >> {count}
if [ "$(wc -l < {count})" -eq {at} ]; then kill -9 $PPID; exit 137; fi
exec {git} "$@"
"""


def register(project: Any, folder: Path, at: int) -> tuple[int, int]:
    """Register while git kills at its call number `at`; return exit code and calls of git."""
    folder.mkdir()
    count, real = folder / "count", shutil.which("git")
    (folder / "git").write_text(SCRIPT.format(count=count, at=at, git=real))
    (folder / "git").chmod(0o755)
    path = f"{folder}:{project.environment()['PATH']}"
    done = project.run("mlops", "register", "storm", "--json", code=None, PATH=path)
    return done.returncode, count.read_text().count("x")


def test_a_version_never_stands_without_its_lineage(trained_project: Any, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()

    def copy(name: str) -> Any:
        root = copies / name
        subprocess.run(["cp", "-a", str(trained_project.root), str(root)], check=True)
        return replace(trained_project, root=root)

    code, calls = register(copy("whole"), tmp_path / "whole", -1)
    assert code == 0 and calls > 3
    cut = 0
    for at in range(calls, 0, -1 if "MLOPS_KILLS" in os.environ else -5):
        project = copy(f"at{at}")
        code, _ = register(project, tmp_path / f"at{at}", at)
        if code == 0:
            continue  # a call whose failure does not matter, or one that was not needed
        cut += 1
        if "mlops/storm/v2" in project.git("tag"):
            nodes = project.here("lineage", "storm@v2", "--up")["nodes"]
            assert {"run", "dataset"} <= {node["kind"] for node in nodes}, at
            assert project.here("models", "show", "storm@v2")["payload"]["run"]
        again = project.here("register", "storm")
        assert again["version"] == 2, "no number is lost, none is given twice"
        assert project.here("verify", "storm@v2")["clean"], at
        kinds = [n["kind"] for n in project.here("lineage", "storm@v2", "--up")["nodes"]]
        assert {"data", "run", "dataset", "model", "version"} <= set(kinds), at
        shutil.rmtree(project.root)
    assert cut >= 3, (cut, calls)


def test_the_version_names_who_when_what_and_from_which_data(demo: Any) -> None:
    shown = demo.mlops("models", "show", "delay@v1")
    payload = shown["payload"]
    for field in ("actor", "created", "dataset", "lock", "metrics", "card", "run", "bundle"):
        assert payload[field], field
    assert shown["commit"] == demo.git("rev-parse", f"{shown['tag']}^{{commit}}")
    run = demo.mlops("runs", "show", payload["run"])["record"]
    assert run["environment"]["packages"]["torch"] and run["code"]["commit"]
    assert payload["dataset"] in {**run["inputs"], **run["outputs"]}.values()
