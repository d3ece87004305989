"""What triggers and limits may not say: each refusal with its place and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.reading.load import load

HEAD = """\
version: 1
project: {name: p}
data:
  days: {path: data/days.csv}
steps:
  fit: {cmd: "true"}
"""


@pytest.mark.parametrize(
    ("words", "code", "place", "said"),
    [
        ('{run: fit, cron: "61 3 * * *"}', "wrong-value", "8:23", "bad minute"),
        ('{run: fit, cron: "0 3 30 2 *"}', "wrong-value", "8:23", "no schedule"),
        (
            '{run: fit, cron: "0 3 * * *", timezone: Europe/Berln}',
            "unknown-timezone", "8:46", "Europe/Berlin",
        ),
        ('{run: fot, cron: "0 3 * * *"}', "unknown-reference", "8:12", "'fit'"),
        ('{run: retrain.m, cron: "0 3 * * *"}', "unknown-reference", "8:12", "retrain.m"),
        ("{run: fit}", "missing-key", "8:3", "exactly one of cron:, on:, until:"),
        ('{run: fit, cron: "0 3 * * *", on: push, branch: b}', "wrong-value", "8:40", "one of"),
        ("{run: fit, on: new_data}", "missing-key", "8:3", "data.NAME"),
        ("{run: fit, on: new_data, of: data.dais}", "unknown-reference", "8:35", "data.days"),
        ("{run: fit, on: drift, of: monitors.x}", "unknown-reference", "8:32", "monitors.x"),
        ("{run: fit, on: push}", "missing-key", "8:3", "branch"),
        ("{run: fit, on: rain}", "wrong-value", "8:21", "new_data, drift, push"),
        ("{run: fit, on: push, branch: b, catch_up: all}", "wrong-value", "8:48", "catch_up"),
        ("{run: fit, until: {metric: auc}}", "wrong-value", "8:17", "at_least, at_most"),
        ("{run: fit, until: {metric: a, at_most: 1, tries: 0}}", "wrong-value", "8:55", "1 or mor"),
        ('{run: fit, cron: "0 3 * * *", lease: soon}', "wrong-value", "8:43", "duration"),
        ('{run: fit, cron: "0 3 * * *", concurrency: 0}', "wrong-value", "8:49", "1 or more"),
        (
            '{run: fit, cron: "0 3 * * *", budget: {money: 3}}',
            "missing-key", "8:52", "price of a CPU hour",
        ),
    ],
)  # fmt: skip
def test_a_trigger_that_cannot_be_meant_is_refused_at_its_place(
    tmp_path: Path, words: str, code: str, place: str, said: str
) -> None:
    (tmp_path / "pipeline.yaml").write_text(f"{HEAD}triggers:\n  t: {words}\n")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert refused.value.code == code
    assert refused.value.message.startswith(f"pipeline.yaml:{place}: "), refused.value.message
    assert said in f"{refused.value.message} {refused.value.hint}"


def test_limits_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(f"{HEAD}limits: {{budget: {{runs: -1}}}}\n")
    with pytest.raises(ConfigError, match=r"pipeline.yaml:7:25: runs is less than nothing"):
        load(tmp_path)
