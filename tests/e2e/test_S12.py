"""Step 12, publishing features: who reads sees the old values or the new ones, never half.

Missing: a stream into the store; `tests/faults/test_online_store_kill.py` has the online half.
"""

from __future__ import annotations

import random
import subprocess
import time
from typing import Any

VIEW = "out/features/weather_at_origin"


def test_killed_while_it_builds_readers_see_the_old_values_and_the_next_run_completes(
    project: Any,
) -> None:
    values = project.root / VIEW / "values.parquet"
    old = values.read_bytes()
    project.edit("src/features.py", "1.609344", "1.852")  # knots, not miles
    dice = random.Random(12)
    seen = []
    for _ in range(3):
        words = ["mlops", "run", VIEW, "--no-commit"]
        running = subprocess.Popen(
            words,
            cwd=project.root,
            env=project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.3, 1.5))
        running.kill()
        running.wait()
        if values.exists():  # away only between the old and the new name
            seen.append(values.read_bytes())
    project.mlops("run", VIEW, "--no-commit")
    new = values.read_bytes()
    assert new != old
    assert all(read in (old, new) for read in seen), "the old values or the new ones, never half"
    assert {s["action"] for s in project.mlops("run", VIEW, "--dry-run")["steps"]} == {"skip"}
    assert project.mlops("verify")["damaged"] == []
