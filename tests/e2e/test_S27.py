"""Step 27, feedback: what a check led to is decided, recorded and carried out. The routes to data
engineering and to the experiment stage are events: test_P9, test_S13, test_R4."""

from __future__ import annotations

from typing import Any


def test_every_check_has_one_decision_with_its_reasons(demo: Any) -> None:
    decisions = demo.mlops("runs", "search", "action ~ e", "--kind", "decision")["records"]
    checks = {check["check"]: check for check in demo.mlops("monitor", "report")["checks"]}
    assert {decision["check"] for decision in decisions} == set(checks)
    for decision in decisions:
        assert decision["because"] and decision["monitor"] == "prod"
        assert decision["action"] == checks[decision["check"]]["action"]
        assert demo.mlops("verify", decision["record"])["clean"]


def test_broken_data_blocks_a_retraining(project: Any) -> None:
    """`never_when: [quality]`: what asks for a retraining is told, and why it does not happen."""
    due = next(
        check
        for check in project.mlops("monitor", "report")["checks"]
        if check["action"] == "retrain"
    )
    window = due["window"]
    project.edit("pipeline.yaml", "never_when: [quality]", "never_when: [drift]")
    words = ("--start", window["start"], "--end", window["end"], "--dry-run")
    told = project.mlops("monitor", "check", *words, "--at", "2013-12-24T00:00:00Z", code=1)
    assert told["decision"]["action"] == "blocked"
    assert any("never while drift" in why for why in told["decision"]["because"])
