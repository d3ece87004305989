"""Conditions over records, read by a small parser and never executed."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_cli.errors import UsageError
from mlops_cli.ledger.expression import comparison, parse

FACTS = {
    "step": "train.delay",
    "status": "done",
    "seconds": 12.5,
    "metrics": {"roc_auc": 0.71, "test.brier": 0.1, "epochs": 3},
    "inputs": {"data/flights.parquet": "sha256:abc"},
    "flag": True,
    "error": None,
    "time": "2013-02-01T00:00:00.000Z",
}


@pytest.mark.parametrize(
    "text",
    [
        "metrics.roc_auc > 0.7 and step = train.delay",
        "metrics.test.brier<=0.1",
        "metrics.epochs == 3",
        "metrics.epochs = 3.0",
        "step ~ DELAY",
        "status != failed",
        "not status = failed",
        "status = failed or seconds > 10",
        "(status = failed or status = done) and seconds < 13",
        "status='done' AND step=\"train.delay\"",
        "inputs.data/flights.parquet = sha256:abc",
        "flag = true",
        "error = null",
        "time >= 2013-01-01 and time < 2013-03",
        "not (status = failed and step = x)",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    assert parse(text)(FACTS)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.roc_auc > 0.71",
        "metrics.none > 0",
        "metrics.none != 0",
        "status > 3",
        "seconds = '12.5'",
        "flag = 1",
        "error < 1",
        "metrics = 1",
        "status = failed or seconds > 10 and step = x",
    ],
)
def test_conditions_that_do_not_hold(text: str) -> None:
    assert not parse(text)(FACTS)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("a", 2),
        ("a =", 4),
        ("a = 1 and", 10),
        ("a = 1 b = 2", 7),
        ("(a = 1", 7),
        ("a = 'x", 5),
        ("a = = 1", 5),
        ("'a' = 1", 1),
        ("__import__('os').system('x')", 11),
        ("(" * 100 + "a = 1" + ")" * 100, 52),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_column(text: str, column: int) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert refused.value.code == "bad-expression"
    assert refused.value.details["column"] == column


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("1_0", "1_0"),
        ("nan", "nan"),
        ("\u0663", "\u0663"),
    ],
)
def test_a_bare_word_is_a_number_where_json_could_hold_it(word: str, value: Any) -> None:
    assert comparison(f"a = {word}").value == value


def test_a_gate_is_one_comparison() -> None:
    assert comparison("metrics.a >= 0.5").value == 0.5
    with pytest.raises(UsageError):
        comparison("a = 1 or b = 2")
