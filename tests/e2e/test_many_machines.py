"""Issue 4, acceptance 5: many machines tick at once, and each window runs once in the world."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

MACHINES, WINDOWS = 8, 20
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


def test_of_eight_clones_exactly_one_runs_each_of_twenty_windows(
    repo: Path, git: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text(f"log: {log}\n")
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\n")
    git("add", "-A")
    git("commit", "-qm", "begin")  # at midnight of 1 January 2013
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    git("remote", "add", "origin", str(bare))
    clones = [Path(shutil.copytree(repo, tmp_path / f"clone{n}")) for n in range(MACHINES)]
    for clone in clones[:2]:  # of one origin: the same name on both machines does no harm
        git("config", "mlops.writer", "twin", cwd=clone)
    script = str(Path(sys.executable).with_name("mlops"))
    now = {"MLOPS_NOW": f"2013-01-01T{WINDOWS}:30:00Z"}

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
    wanted = {f"20130101T{hour:02}0000Z" for hour in range(1, WINDOWS + 1)}
    assert Counter(log.read_text().split()) == dict.fromkeys(wanted, 1)
    refs = git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/mlops/claims", cwd=bare)
    assert {name for name in refs.split() if "/_/" not in name} == {
        f"hourly/{window}" for window in wanted
    }
    assert "/_/" not in refs, "every slot is free again"
