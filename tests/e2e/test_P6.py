"""P6, continuous training: a retraining is held against the champion, and only better is promoted.

Missing: `mlops tick` with the triggers time and push, warm starts, the cost of an update.
"""

from __future__ import annotations

from typing import Any


def test_every_retraining_is_evaluated_against_the_champion_on_the_same_rows(demo: Any) -> None:
    retrained = [p["retrained"] for p in demo.told["periods"] if p["retrained"]]
    assert len(retrained) >= 2
    compared = [
        rule
        for done in retrained
        for promotion in done["promotions"]
        for rule in promotion["rules"]
        if rule["name"].startswith("better than production")
    ]
    assert len(compared) == len(retrained)
    for rule in compared:
        assert rule["evidence"]["n"] > 1000
        assert rule["evidence"]["champion"] != rule["evidence"]["challenger"]


def test_only_what_is_better_serves(demo: Any) -> None:
    serving = 1
    for period in demo.told["periods"]:
        assert period["version"] == serving
        for promotion in (period["retrained"] or {}).get("promotions", ()):
            if promotion["alias"] != "production":
                continue
            (rule,) = (r for r in promotion["rules"] if r["name"].startswith("better than"))
            assert promotion["moved"] == (promotion["passed"] and rule["passed"])
            if promotion["moved"]:
                assert rule["evidence"]["challenger"] > rule["evidence"]["champion"]
                serving = promotion["version"]
    assert serving > 1, "one of the retrained models was better"


def test_the_policy_keeps_a_distance_between_retrainings(project: Any) -> None:
    """One day after a retraining the same evidence asks again, and the cooldown says no."""
    months = [p for p in project.mlops("monitor", "report")["checks"] if p["action"] == "retrain"]
    newest = months[0]["window"]
    words = ("--start", newest["start"], "--end", newest["end"], "--dry-run")
    day_after = newest["end"][:8] + "03T00:00:00Z"
    done = project.run("mlops", "monitor", "check", *words, "--at", day_after, "--json", code=None)
    assert done.returncode == 1, done.stdout
    assert '"blocked"' in done.stdout and "cooldown" in done.stdout
