"""Step 16, training and validation until the metrics are good: many trials, two at a time.

A sweep that is killed in the middle is tests/cli/test_sweep.py; early ending of bad trials too.
"""

from __future__ import annotations

from typing import Any


def test_trials_run_side_by_side_and_the_best_of_them_is_told(bare: Any) -> None:
    bare.mlops("run")
    words = ("fit.ridge=0.1..10", "--random", "4", "--seed", "3", "-j2", "-m", "mae", "--min")
    told = bare.mlops("sweep", *words)
    scores = [trial["metrics"]["mae"] for trial in told["trials"]]
    assert len({trial["run"] for trial in told["trials"]}) == 4
    assert scores[told["best"]] == min(scores) < max(scores)
    assert {trial["status"] for trial in told["trials"]} == {"done"}

    again = bare.here("sweep", "--resume", "latest")
    assert again["trials"] == told["trials"], "what has ended is not run again"
    found = bare.here("runs", "search", f"experiment.sweep = {told['sweep']} and step = evaluate")
    assert len(found["records"]) == 4
