"""A policy is judged on evidence alone; what was not shown does not pass."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.registry.gate import judge

BETTER = {"better_than": "production", "on": "roc_auc", "test": "paired", "alpha": 0.05}
SHOWN = {"metric": "roc_auc", "challenger": 0.72, "champion": 0.70, "p_value": 0.01, "n": 900}


def passes(gate: Any, **evidence: Any) -> bool:
    return judge({"gates": [gate]}, evidence).passed


def test_an_empty_policy_passes() -> None:
    assert judge({}, {}).passed


def test_a_metric_is_compared_and_a_missing_one_does_not_pass() -> None:
    assert passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": 0.58})
    assert not passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": 0.5})
    assert not passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": None})
    verdict = judge({"gates": ["metrics.roc_auc >= 0.58"]}, {})
    assert verdict.rules[0].why == "metrics.roc_auc was not measured"
    assert passes("metrics.test.roc_auc > 0.5", metrics={"test.roc_auc": 0.6})


def test_parity_golden_and_clean_tree_need_their_evidence() -> None:
    assert passes("parity", parity={"max_abs": 1e-7, "allowed": 1e-5})
    assert not passes("parity", parity={"max_abs": 1e-3, "allowed": 1e-5})
    assert not passes("parity")
    assert passes("golden", golden={"passed": True})
    assert not passes("golden", golden={"passed": False})
    assert not passes("golden")
    assert passes("clean_tree", clean_tree=True)
    assert not passes("clean_tree", clean_tree="yes")
    assert not passes("clean_tree")


def test_another_alias_passes_with_its_own_verdict() -> None:
    staging = judge({"gates": ["parity"]}, {"parity": {"max_abs": 0, "allowed": 1e-5}})
    assert passes("staging", aliases={"staging": staging})
    assert passes("staging", aliases={"staging": staging.plain()})
    assert not passes("staging", aliases={"staging": judge({"gates": ["parity"]}, {})})


def test_better_asks_for_effect_and_evidence() -> None:
    assert passes(BETTER, better_than={"production": SHOWN})
    assert not passes(BETTER, better_than={"production": SHOWN | {"p_value": 0.2}})
    assert not passes(BETTER, better_than={"production": SHOWN | {"p_value": None}})
    assert not passes(BETTER, better_than={"production": SHOWN | {"challenger": 0.7}})
    assert not passes(BETTER | {"margin": 0.05}, better_than={"production": SHOWN})
    untested = {"better_than": "production", "on": "roc_auc"}
    assert passes(untested, better_than={"production": SHOWN | {"p_value": None}})


def test_better_is_lower_where_the_metric_is_a_loss() -> None:
    gate = BETTER | {"on": "log_loss"}
    shown = SHOWN | {"metric": "log_loss", "challenger": 0.4, "champion": 0.5}
    assert passes(gate, better_than={"production": shown})
    assert not passes(gate, better_than={"production": shown | {"challenger": 0.6}})


def test_the_first_of_its_alias_has_nobody_to_beat() -> None:
    assert passes(BETTER, better_than={"production": None})
    assert not passes(BETTER)
    assert not passes(BETTER, better_than={"production": SHOWN | {"metric": "brier"}})


def test_approvals_are_counted_by_person() -> None:
    policy = {"gates": [], "approvals": 2}
    assert not judge(policy, {"approvals": ["ada", "ada"]}).passed
    assert judge(policy, {"approvals": ["ada", "grace"]}).passed


@pytest.mark.parametrize("gate", ["nonsense", "metrics.a >= ", "__import__('os') == 1", 3, {}])
def test_a_gate_without_meaning_is_a_configuration_error(gate: Any) -> None:
    with pytest.raises(ConfigError) as unknown:
        judge({"gates": [gate]}, {})
    assert unknown.value.code == "unknown-gate"


def test_a_verdict_is_plain_json_with_reasons() -> None:
    import json

    policy = {"gates": ["metrics.roc_auc >= 0.58", BETTER], "approvals": 1}
    evidence = {"metrics": {"roc_auc": 0.6}, "better_than": {"production": SHOWN}}
    plain = judge(policy, evidence).plain()
    assert json.loads(json.dumps(plain)) == plain
    assert [rule["passed"] for rule in plain["rules"]] == [True, True, False]
    assert "0.72 against 0.7, p 0.01, asked 0.05, 900 rows" in plain["rules"][1]["why"]
