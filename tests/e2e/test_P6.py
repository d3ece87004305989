"""P6, continuous training: a retraining is held against the champion, and only better is promoted.

A cheaper update goes on from the champion and learns only from what is new.
"""

from __future__ import annotations

from typing import Any

import fitted

from mlops_cli.ledger.index import open_index
from mlops_cli.vcs.repo import Git


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


def test_an_incremental_training_goes_on_from_production_with_the_new_rows(empty: Any) -> None:
    fitted.write(empty.root)
    empty.here("add", "data/hours.parquet")
    empty.commit("a project")
    cold = empty.mlops("train", "gust")
    assert cold["production"] == [] and "parent" not in empty.lock("train.gust")["facts"]
    assert empty.lock("parent.gust")["facts"]["why"] == "there is no production model yet"
    first = empty.here("register", "gust")
    assert empty.here("promote", "gust", "production")["moved"]

    fitted.write_rows(empty.root, 900)
    empty.here("add", "data/hours.parquet")
    empty.commit("more hours")
    done = empty.mlops("train", "gust", "--incremental")
    facts = empty.lock("train.gust")["facts"]
    assert facts["parent"] == {"model": first["digest"], "name": "gust@v1"}
    # of 540 rows 360 were seen by v1; nothing else is learnt from
    assert facts["rows"]["train"] == 180 and facts["incremental"]["of"] == 540
    (beside,) = done["production"]
    assert beside["champion"]["version"] == 1 and beside["test"]["n"] == 180
    assert set(beside["metrics"]) == {"roc_auc", "log_loss"}
    assert [each["value"] for each in beside["slices"]["origin"]] == ["EWR", "JFK"]
    with open_index(Git(empty.root)) as index:
        (record,) = index.newest("evaluation")
    assert record["result"]["slices"] == beside["slices"]

    # from the commit alone: which model it went on from is known, though production may move
    assert empty.here("reproduce", "latest")["verdict"] == "identical"

    again = empty.here("train", "gust", "--incremental")
    assert {step["action"] for step in again["steps"]} == {"skip"} and again["production"] == []
    parent = ".mlops/lock/parent.gust.json"
    assert parent in empty.git("ls-files").split(), "what it went on from stands in git"


def test_without_a_parent_nothing_is_incremental(trained_project: Any) -> None:
    refused = trained_project.here("train", "--incremental", code=10)
    assert refused["code"] == "no-parent" and "warm_start" in refused["hint"]


def test_a_smaller_model_this_once_is_another_training(trained_project: Any) -> None:
    assert trained_project.here("train", "--quantize", "int4", code=2)["code"] == "wrong-value"
    plan = trained_project.here("train", "--quantize", "int8", "--dry-run")["steps"]
    stale = {step["step"]: step["because"] for step in plan if step["action"] != "skip"}
    assert list(stale) == ["train.storm", "evaluate.storm"]
    assert "quantize" in stale["train.storm"][0]["sentence"]
