"""Issue 4, acceptance 5: many machines tick at once, and each window runs once in the world."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  note:
    cmd: echo $MLOPS_WINDOW >> ${params.log}
    always: true
triggers:
  hourly: {cron: "0 * * * *", run: note, catch_up: all}
limits: {concurrency: 8}
"""


@pytest.mark.parametrize(("machines", "windows", "branch"), [(8, 20, ""), (4, 6, "mlops-ledger")])
def test_of_many_clones_exactly_one_runs_each_window(
    repo: Path,
    git: Any,
    mlops: Any,
    environment: dict[str, str],
    tmp_path: Path,
    machines: int,
    windows: int,
    branch: str,
) -> None:
    log = tmp_path / "log"
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text(f"log: {log}\n")
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\n!.mlops/config.yaml\n")
    if branch:
        mlops("config", "set", "ledger.branch", branch, code=0)
    git("add", "-A")
    git("commit", "-qm", "begin")  # at midnight of 1 January 2013
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    git("remote", "add", "origin", str(bare))
    if branch:  # a forge that takes branches and tags only
        hook = bare / "hooks/pre-receive"
        hook.parent.mkdir(exist_ok=True)
        words = 'case "$ref" in refs/heads/*|refs/tags/*) ;; *) exit 1;; esac'
        hook.write_text(f"#!/bin/sh\nwhile read old new ref; do {words}; done\n")
        hook.chmod(0o755)
    clones = [Path(shutil.copytree(repo, tmp_path / f"clone{n}")) for n in range(machines)]
    for clone in clones[:2]:  # of one origin: the same name on both machines does no harm
        git("config", "mlops.writer", "twin", cwd=clone)
    script = str(Path(sys.executable).with_name("mlops"))
    now = {"MLOPS_NOW": f"2013-01-01T{windows:02}:30:00Z"}

    running = [
        subprocess.Popen(
            [script, "tick"],
            cwd=clone,
            env={**environment, **now},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for clone in clones
    ]
    ended = [(one.communicate(timeout=120)[1], one.returncode) for one in running]

    assert {code for _, code in ended} == {0}, ended
    wanted = {f"20130101T{hour:02}0000Z" for hour in range(1, windows + 1)}
    assert Counter(log.read_text().split()) == dict.fromkeys(wanted, 1)
    if branch:
        names = git("ls-tree", "-r", "--name-only", f"{branch}-claims", cwd=bare).split()
    else:
        refs = git("for-each-ref", "--format=%(refname)", "refs/mlops/claims", cwd=bare).split()
        names = [ref.removeprefix("refs/mlops/claims/") for ref in refs]
    # and every slot is free again
    assert set(names) == {f"hourly/{window}" for window in wanted}
    # whoever comes later knows all ends
    git("clone", "-q", str(bare), str(tmp_path / "late"))
    mlops("pull", cwd=tmp_path / "late", code=0)
    found = mlops(
        "runs", "search", "outcome = done", "--kind", "claim", "--json", cwd=tmp_path / "late"
    )
    assert {record["window"] for record in found.data["records"]} == wanted
