"""P8, continuous monitoring: periodic checks of data, drift and performance, with a history.

Missing: the families code and infrastructure, and a check that runs by itself (`mlops tick`).
"""

from __future__ import annotations

from typing import Any

FAMILIES = ("quality", "drift", "performance")


def test_each_check_judges_three_families_and_stays_in_the_history(demo: Any) -> None:
    checks = demo.mlops("monitor", "report")["checks"]
    assert len(checks) == len(demo.told["periods"])
    for check in checks:
        assert set(check["severity"]) == set(FAMILIES)
        assert check["rows"] > 20_000 and 0 < check["labelled"] <= check["rows"]
        assert 0.5 < check["metrics"]["roc_auc"] < 0.9
    record = demo.mlops("runs", "show", checks[0]["check"])["record"]
    assert record["kind"] == "check"
    for family in FAMILIES:
        assert record["families"][family]["findings"], family


def test_the_thresholds_are_in_versioned_yaml(project: Any) -> None:
    newest = project.mlops("monitor", "report")["checks"][0]["window"]
    words = ("monitor", "check", "--start", newest["start"], "--end", newest["end"], "--dry-run")
    strict = project.mlops(*words, "--at", newest["end"], code=None)
    assert strict["families"]["drift"]["severity"] == "important"
    project.edit("pipeline.yaml", "effect: 0.2", "effect: 100")
    easy = project.mlops(*words, "--at", newest["end"], code=None)
    assert easy["families"]["drift"]["severity"] == "ok"
    assert easy["check"] is None, "a dry run records nothing"
