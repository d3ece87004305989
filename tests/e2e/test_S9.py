"""Step 9, extract: the watermark of what was read is committed, and a second run reads nothing.

Missing: reading only what is new; a new month is read together with the old ones.
"""

from __future__ import annotations

from typing import Any


def test_the_watermark_is_in_the_lock_and_a_second_run_does_nothing(demo: Any) -> None:
    facts = demo.lock("dataset.delay")["facts"]
    assert facts["watermark"] >= facts["source"]["end"]
    tracked = demo.git("show", "HEAD:.mlops/lock/dataset.delay.json")
    assert facts["watermark"] in tracked
    done = demo.mlops("run", "--dry-run")
    assert {step["action"] for step in done["steps"]} == {"skip"}


def test_the_watermark_moved_with_every_month_that_was_learnt(demo: Any) -> None:
    commits = demo.git("log", "--format=%H", "--", ".mlops/lock/dataset.delay.json").splitlines()
    marks = [
        demo.git("show", f"{commit}:.mlops/lock/dataset.delay.json").partition('"watermark": "')[2][
            :10
        ]
        for commit in commits
    ]
    assert len(marks) >= 3 and marks == sorted(set(marks), reverse=True)
