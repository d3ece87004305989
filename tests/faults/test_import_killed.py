"""An import that is killed leaves no pointer without its bytes, and the next one completes it."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dvc_world import DvcWorld

KILLS = int(os.environ.get("MLOPS_KILLS", "3"))


@pytest.mark.parametrize("words", [(), ("--attach",)])
def test_a_killed_import_is_completed_by_the_next(
    words: tuple[str, ...], dvc3: DvcWorld, mlops: Any, environment: Any, console_script: Path
) -> None:
    by_chance = random.Random(len(words))
    for _ in range(KILLS):
        process = subprocess.Popen(
            [console_script, "import", "dvc", *words],
            cwd=dvc3.root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(by_chance.uniform(0.1, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        mlops("verify", cwd=dvc3.root, code=0)  # what has a name is whole

    mlops("import", "dvc", *words, cwd=dvc3.root, code=0)

    mlops("checkout", cwd=dvc3.root, code=0)
    assert dvc3.wrong() == []
