"""Step 28, continuous training: drift leads to a retraining, and better models serve better.

Missing: `mlops tick`, which asks by itself for new data and by the clock.
"""

from __future__ import annotations

from typing import Any


def test_the_retrained_model_serves_better_than_the_frozen_one(demo: Any) -> None:
    periods = demo.told["periods"]
    after = [period for period in periods if period["version"] > 1]
    assert after, "something was promoted"
    for period in after:
        assert period["served"] > period["frozen"], period["period"]
    assert all(period["served"] == period["frozen"] for period in periods[: -len(after)])


def test_the_same_evidence_leads_to_the_same_decision(project: Any) -> None:
    """A check is a function of log, labels and time: asked again, it answers as it did."""
    known = project.mlops("monitor", "report")["checks"]
    newest = known[0]
    at = project.mlops("runs", "show", newest["check"])["record"]["at"]
    window = newest["window"]
    words = ("--start", window["start"], "--end", window["end"], "--at", at, "--dry-run")
    again = project.mlops("monitor", "check", *words, code=None)
    assert again["metrics"] == newest["metrics"]
    assert {n: f["severity"] for n, f in again["families"].items()} == newest["severity"]
    assert project.mlops("monitor", "report")["checks"] == known


def test_the_story_is_told_by_git(demo: Any) -> None:
    subjects = demo.git("log", "--reverse", "--format=%s").splitlines()
    assert subjects[0].startswith("init: flight-delays")
    arrivals = [subject for subject in subjects if subject.endswith(" arrives")]
    assert len(arrivals) == len(demo.told["periods"])
    deployed = [subject for subject in subjects if subject.startswith("deploy: delay v")]
    assert len(deployed) >= 2
    tags = demo.git("tag").splitlines()
    assert {"mlops/delay/v1", "mlops/delay/@production/1", "mlops/delay/@production/2"} <= set(tags)
