"""Step 28, continuous training: drift leads to a retraining, and better models serve better.

By the clock, by new data and by drift: `mlops tick` asks all three; see also test_S20 and test_P9.
"""

from __future__ import annotations

import itertools
from typing import Any


def test_a_retrained_model_serves_better_than_the_frozen_one(demo: Any) -> None:
    periods = demo.told["periods"]
    pairs = list(itertools.pairwise(periods))
    after = [later for earlier, later in pairs if later["version"] != earlier["version"]]
    assert len(after) >= 2, "what was retrained was promoted twice"
    for period in after:
        assert period["served"] > period["frozen"], period["period"]
    for period in periods:
        assert (period["served"] == period["frozen"]) == (period["version"] == 1)


def test_what_retrains_is_a_drop_or_drift_that_lasts(demo: Any) -> None:
    for period in demo.told["periods"]:
        if period["action"] == "retrain":
            assert period["retrained"] and period["severity"]["quality"] != "important"
            said = " ".join(period["because"])
            assert "drift was important in 2 checks" in said or "performance" in said
        else:
            assert period["retrained"] is None


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


def test_a_replay_of_a_year_of_ticks_gives_the_same_schedule(project: Any) -> None:
    begun = project.git("log", "-1", "--format=%cI")
    year = f"{int(begun[:4]) + 1}{begun[4:]}"
    words = ("tick", "--dry-run", "--at", begun, "--to", year)
    once = project.here(*words)["windows"]
    assert [one["trigger"] for one in once].count("monitor") in (365, 366)
    assert project.here(*words)["windows"] == once
