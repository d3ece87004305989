"""Step 26, thresholds: the answer of a check is one of a few words, each with its exit code.

Missing: an alert that opens once and is resolved once, and one of the infrastructure.
"""

from __future__ import annotations

from typing import Any

CODES = {"quiet": 0, "alarm": 1, "warning": 3, "retrain": 4, "not-enough-data": 5}


def test_the_exit_code_is_the_verdict(project: Any) -> None:
    checks = project.mlops("monitor", "report")["checks"]
    seen = set()
    for known in {check["verdict"]: check for check in checks}.values():
        window = known["window"]
        words = ("--start", window["start"], "--end", window["end"], "--dry-run", "--json")
        done = project.run("mlops", "monitor", "check", *words, "--at", window["end"], code=None)
        verdict = next(word for word in CODES if f'"verdict": "{word}"' in done.stdout)
        assert done.returncode == CODES[verdict]
        seen.add(verdict)
    assert seen


def test_a_window_without_traffic_is_not_called_quiet(demo: Any) -> None:
    words = ("--start", "2015-01-01T00:00:00Z", "--end", "2015-02-01T00:00:00Z")
    check = demo.mlops("monitor", "check", "prod", *words, "--dry-run", code=5)
    assert check["verdict"] == "not-enough-data" and check["rows"] == 0
    assert check["decision"]["action"] == "none"


def test_an_alarm_says_what_crossed_which_limit(demo: Any) -> None:
    newest = demo.mlops("monitor", "report")["checks"][0]
    record = demo.mlops("runs", "show", newest["check"])["record"]
    crossed = [
        finding
        for family in record["families"].values()
        for finding in family["findings"]
        if finding["severity"] == "important"
    ]
    assert crossed
    for finding in crossed:
        assert finding["sentence"] and finding["subject"]
        assert finding["value"] > finding["limit"] and finding["p_value"] < 0.01
