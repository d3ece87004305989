"""Step 23, push to the registry: a version with all that led to it, or no version.

`git` is replaced by a script that kills the command at its n-th call, before git does anything:
every write of register and promote goes through git, so this stops between any two of them.
MLOPS_KILLS=1 does so at every call.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

SCRIPT = """\
#!/bin/sh
echo x >> {count}
if [ "$(wc -l < {count})" -eq {at} ]; then kill -9 $PPID; exit 137; fi
exec {git} "$@"
"""


EVERY = "MLOPS_KILLS" in os.environ


def cut(project: Any, folder: Path, at: int, *words: str) -> tuple[int, int]:
    """Run `mlops words` while git kills it at its call number `at`; return exit code and calls."""
    folder.mkdir()
    count, real = folder / "count", shutil.which("git")
    (folder / "git").write_text(SCRIPT.format(count=count, at=at, git=real))
    (folder / "git").chmod(0o755)
    path = f"{folder}:{project.environment()['PATH']}"
    done = project.run("mlops", *words, "--json", code=None, PATH=path)
    return done.returncode, count.read_text().count("x")


def copies(world: Any, folder: Path, words: tuple[str, ...], step: int) -> Iterator[Any]:
    """Yield copies of `world` in which `mlops words` was killed, each at another call of git."""
    folder.mkdir()

    def copy(name: str) -> Any:
        parent = folder / name
        subprocess.run(["cp", "-a", str(world.root.parent), str(parent)], check=True)
        return replace(world, root=parent / world.root.name)

    code, calls = cut(copy("whole"), folder / "whole/bin", -1, *words)
    assert code == 0 and calls > 3
    killed = 0
    for at in range(calls, 0, -1 if EVERY else -step):
        project = copy(f"at{at}")
        code, _ = cut(project, folder / f"at{at}/bin", at, *words)
        if code != 0:  # else a call whose failure does not matter, or one that was not needed
            killed += 1
            yield project
        shutil.rmtree(project.root.parent)
    assert killed >= 3, (killed, calls)


def test_a_version_never_stands_without_its_lineage(trained_project: Any, tmp_path: Path) -> None:
    world = tmp_path / "world"
    world.mkdir()
    trained_project.root.rename(world / "storms")
    storms = replace(trained_project, root=world / "storms")
    for project in copies(storms, tmp_path / "copies", ("register", "storm"), 5):
        if "mlops/storm/v2" in project.git("tag"):
            nodes = project.here("lineage", "storm@v2", "--up")["nodes"]
            assert {"run", "dataset"} <= {node["kind"] for node in nodes}
            assert project.here("models", "show", "storm@v2")["payload"]["run"]
        again = project.here("register", "storm")
        assert again["version"] == 2, "no number is lost, none is given twice"
        assert project.here("verify", "storm@v2")["clean"]
        kinds = [n["kind"] for n in project.here("lineage", "storm@v2", "--up")["nodes"]]
        assert {"data", "run", "dataset", "model", "version"} <= set(kinds)


def test_an_alias_never_stands_without_its_version(trained_project: Any, tmp_path: Path) -> None:
    world = tmp_path / "world"
    world.mkdir()
    trained_project.root.rename(world / "storms")
    storms = replace(trained_project, root=world / "storms")
    storms.git("init", "-q", "--bare", "../bare.git")
    storms.git("remote", "add", "origin", "../bare.git")
    storms.git("push", "-q", "origin", "main")
    storms.here("register", "storm")
    storms.here("promote", "storm@v1", "trial")
    event = "mlops/storm/@trial/2"
    for project in copies(storms, tmp_path / "copies", ("promote", "storm", "trial"), 17):
        bare = replace(project, root=project.root.parent / "bare.git")
        for place in (project, bare):
            tags = place.git("tag").split()
            assert event not in tags or "mlops/storm/v2" in tags
        if event in project.git("tag").split():
            assert project.here("lineage", "storm@trial", "--up")["nodes"]
        again = project.here("promote", "storm", "trial")
        assert (again["version"], again["event"]) == (2, 2), "one event, however often it is tried"
        assert project.here("verify", "storm@trial")["clean"] and project.here("verify")["clean"]
        told = project.here("runs", "search", "--kind", "promotion", "alias=trial")["records"]
        assert [each["event"] for each in told] == [2, 1], "a record each"
        for kind in ("tags/mlops", "mlops/ledger"):
            refs = f"refs/{kind}"
            assert project.git("for-each-ref", refs) == bare.git("for-each-ref", refs)


def test_the_version_names_who_when_what_and_from_which_data(demo: Any) -> None:
    shown = demo.mlops("models", "show", "delay@v1")
    payload = shown["payload"]
    for field in ("actor", "created", "dataset", "lock", "metrics", "card", "run", "bundle"):
        assert payload[field], field
    assert shown["commit"] == demo.git("rev-parse", f"{shown['tag']}^{{commit}}")
    run = demo.mlops("runs", "show", payload["run"])["record"]
    assert run["environment"]["packages"]["torch"] and run["code"]["commit"]
    assert payload["dataset"] in {**run["inputs"], **run["outputs"]}.values()
