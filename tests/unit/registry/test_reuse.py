"""The bound on how often a test set may decide, against its formula and the paper's figures."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest

from mlops_cli.registry.gate import judge
from mlops_cli.registry.rules.reuse import Reuse, needed, tolerance


def test_sample_sizes_are_those_that_the_paper_prints() -> None:
    """Figure 2 of Renggli et al. 2019: a figure of range 1, 32 models, 1 - d = 0.99."""
    printed = {0.1: (404, 1_340), 0.05: (1_615, 5_358), 0.025: (6_457, 21_429)}
    printed[0.01] = (40_355, 133_930)
    for within, (blind, adaptive) in printed.items():
        assert needed(32, within=within, delta=0.01, blind=True) == blind
        assert needed(32, within=within, delta=0.01) == adaptive


@pytest.mark.parametrize("blind", [True, False])
def test_tolerance_and_rows_are_inverse(blind: bool) -> None:
    for uses in (1, 7, 40):
        rows = needed(uses, within=0.03, delta=0.01, blind=blind)
        assert tolerance(uses, rows, delta=0.01, blind=blind) <= 0.03
        assert tolerance(uses, rows - 1, delta=0.01, blind=blind) > 0.03


def test_one_use_is_hoeffding_and_each_answer_seen_doubles_the_models() -> None:
    e = tolerance(1, 5000, delta=0.01, blind=True)
    assert exp(-2 * 5000 * e * e) == pytest.approx(0.01)
    assert tolerance(10, 5000, delta=0.01) == pytest.approx(sqrt(log(2**10 / 0.01) / 10_000))
    assert tolerance(10, 5000, delta=0.01) > tolerance(10, 5000, delta=0.01, blind=True)
    assert tolerance(3, 0, delta=0.01) == 1.0


def test_a_budget_that_is_used_up_closes_the_gate() -> None:
    rule = Reuse(3)

    def finding(uses: int, rows: int = 20_000, **more: object):  # type: ignore[no-untyped-def]
        gate = {"reuse": 3, **more}
        found = {"uses": uses, "effective": rows, "n": rows, "rows": "sha256:1a"}
        return judge({"gates": [gate]}, {"answers": {rule.name: found}}).rules[0]

    assert finding(3).passed
    assert finding(4).why.endswith("bring new test rows")
    assert not finding(1, rows=100, tolerance=0.01).passed
    assert "more labels are needed" in finding(1, rows=100, tolerance=0.01).why
    assert finding(1, tolerance=0.05).evidence["tolerance"] == pytest.approx(0.0115, abs=1e-4)
