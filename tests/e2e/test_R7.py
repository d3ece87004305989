"""R7, ML engineer: one screen says what is fresh, what differs and what is not kept.

Missing: triggers, production model and open events on that same screen.
"""

from __future__ import annotations

from typing import Any


def test_the_project_that_the_demo_leaves_is_clean_and_has_nothing_to_do(demo: Any) -> None:
    status = demo.mlops("status", "--check")
    assert status["clean"] and not demo.git("status", "--porcelain")
    assert {s["action"] for s in demo.mlops("run", "--dry-run")["steps"]} == {"skip"}


def test_every_row_of_status_has_a_reason_and_the_command_that_mends_it(bare: Any) -> None:
    bare.mlops("run")
    bare.edit("params.yaml", "ridge: ", "ridge: 2")
    (bare.root / "data/days.csv").unlink()
    status = bare.mlops("status", "--check", code=1)
    rows = [row for part in ("pipeline", "workspace", "storage") for row in status[part]["rows"]]
    assert {"fit"} <= {row["name"] for row in status["pipeline"]["rows"]}
    assert {"data/days.csv"} <= {row["name"] for row in status["workspace"]["rows"]}
    assert all(row["reason"] and row["mend"].startswith("mlops ") for row in rows), rows


def test_doctor_says_what_is_there_and_what_is_not(demo: Any) -> None:
    done = demo.run("mlops", "doctor", "--offline", "--json")
    assert '"mlops.doctor/1"' in done.stdout
    assert "git" in demo.said("doctor", "--offline")
