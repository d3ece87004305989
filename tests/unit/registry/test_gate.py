"""A policy is judged on evidence alone; what was not shown does not pass."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.registry.gate import judge
from mlops_cli.registry.rules.table import RULES, read

BETTER = {"better_than": "production", "on": "roc_auc", "test": "paired", "alpha": 0.05}
SHOWN = {
    "version": 3,
    "metric": "roc_auc",
    "challenger": 0.72,
    "champion": 0.70,
    "difference": 0.02,
    "p_value": 0.01,
    "n": 900,
}


def passes(gate: Any, **evidence: Any) -> bool:
    return judge({"gates": [gate]}, evidence).passed


def asked(gate: Any, found: Any, **evidence: Any) -> Any:
    """Judge one rule on what was gathered for it; return its finding."""
    rule = read(gate)
    return judge({"gates": [gate]}, {"answers": {rule.name: found}, **evidence}).rules[0]


def test_an_empty_policy_passes() -> None:
    assert judge({}, {}).passed


def test_what_was_not_shown_does_not_pass() -> None:
    values = {"better_than": "p", "on": "roc_auc", "not_worse_than": "p", "margin": 0.01}
    more = {"slices": "origin", "formats": ["onnx"], "data_age": "9d", "drift_quiet": "prod"}
    numbers = {"reuse": 3, "approvals": 1}
    given = {**values, **more, **numbers}
    for word in RULES:
        rule: Any = {word: given[word]} if word in given else word
        if word in ("better_than", "not_worse_than", "slices"):
            rule["on"] = "roc_auc"
        if word == "not_worse_than":
            rule["margin"] = 0.01
        finding = judge({"gates": [rule]}, {}).rules[0]
        assert not finding.passed and finding.why, word


def test_a_metric_is_compared_and_a_missing_one_does_not_pass() -> None:
    assert passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": 0.58})
    assert not passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": 0.5})
    assert not passes("metrics.roc_auc >= 0.58", metrics={"roc_auc": None})
    assert not passes("metrics.loss != 3", metrics={"loss": math.nan})
    verdict = judge({"gates": ["metrics.roc_auc >= 0.58"]}, {})
    assert verdict.rules[0].why == "metrics.roc_auc was not measured"
    assert passes("metrics.test.roc_auc > 0.5", metrics={"test.roc_auc": 0.6})


def test_a_version_that_says_another_figure_than_was_measured_is_told_of() -> None:
    evidence = {"metrics": {"roc_auc": 0.6}, "claims": {"metrics": {"roc_auc": 0.9}}}
    (finding,) = judge({"gates": ["metrics.roc_auc >= 0.8"]}, evidence).rules
    assert not finding.passed
    assert finding.why == "metrics.roc_auc is 0.6, and the version says 0.9"


def test_parity_golden_format_and_clean_tree() -> None:
    assert passes("parity", parity={"max_abs": 1e-7, "allowed": 1e-5})
    assert not passes("parity", parity={"max_abs": 1e-3, "allowed": 1e-5})
    assert not passes("parity", parity={"max_abs": math.nan, "allowed": 1e-5})
    assert not passes({"parity": 1e-8}, parity={"max_abs": 1e-7, "allowed": 1e-5})
    assert passes("golden", golden={"passed": True})
    assert not passes("golden", golden={"passed": False})
    assert passes({"formats": ["onnx"]}, format="onnx")
    assert not passes({"formats": ["onnx"]}, format="pickle")
    assert passes("clean_tree", clean_tree=True)
    assert not passes("clean_tree", clean_tree="yes")
    assert not passes("clean_tree", clean_tree=False, patch="sha256:1a")
    assert passes({"clean_tree": "patch"}, clean_tree=False, patch="sha256:1a")
    assert not passes({"clean_tree": "patch"}, clean_tree=False)


def test_another_alias_passes_with_its_own_verdict() -> None:
    staging = judge({"gates": ["parity"]}, {"parity": {"max_abs": 0, "allowed": 1e-5}})
    assert passes("staging", aliases={"staging": staging.plain()})
    shut = judge({"gates": ["parity"]}, {})
    (finding,) = judge({"gates": ["staging"]}, {"aliases": {"staging": shut.plain()}}).rules
    assert not finding.passed and finding.why == "the gates of staging are closed: parity"


def test_better_asks_for_effect_and_evidence() -> None:
    assert asked(BETTER, SHOWN).passed
    assert not asked(BETTER, SHOWN | {"p_value": 0.2}).passed
    assert not asked(BETTER, SHOWN | {"p_value": None}).passed
    assert not asked(BETTER, SHOWN | {"difference": 0.0}).passed
    assert not asked(BETTER | {"margin": 0.05}, SHOWN).passed
    assert not asked(BETTER, SHOWN | {"challenger": math.nan}).passed
    untested = {"better_than": "production", "on": "roc_auc"}
    assert asked(untested, SHOWN | {"p_value": None}).passed


def test_too_few_labels_are_told_in_number() -> None:
    finding = asked(BETTER, SHOWN | {"p_value": 0.2, "more": 1234})
    assert finding.why.endswith("p 0.2, asked 0.05, 900 rows; about 1,234 more labels would tell")


def test_not_worse_allows_a_loss_within_the_margin_that_is_refuted_beyond() -> None:
    gate = {"not_worse_than": "production", "on": "roc_auc", "margin": 0.01}
    assert asked(gate, SHOWN | {"difference": -0.002, "p_value": 0.03}).passed
    assert not asked(gate, SHOWN | {"difference": -0.002, "p_value": 0.3}).passed
    assert not asked(gate, SHOWN | {"difference": -0.02, "p_value": 0.03}).passed


def test_the_first_of_its_alias_has_nobody_to_beat() -> None:
    finding = asked(BETTER, {"version": None, "state": "there is no production yet"})
    assert finding.passed and finding.why == "there is no production yet"
    assert not passes(BETTER)


def test_a_champion_whose_metric_is_undefined_is_no_missing_champion() -> None:
    found = {"version": 3, "challenger": None, "champion": None, "why": "roc_auc is undefined"}
    finding = asked(BETTER, found)
    assert not finding.passed and finding.why == "roc_auc is undefined"


def test_one_bad_slice_closes_the_gate_and_is_named() -> None:
    gate = {"slices": "origin", "on": "roc_auc", "at_least": 0.6}
    good = {"slice": "EWR", "rows": 90, "value": 0.7, "loss": None}
    bad = {"slice": "JFK", "rows": 80, "value": 0.55, "loss": 0.1}
    undefined = {"slice": "LGA", "rows": 40, "value": None, "loss": None}
    assert asked(gate, {"slices": [good, undefined]}).passed
    finding = asked(gate, {"slices": [good, bad]})
    assert not finding.passed and finding.why == "JFK is 0.55, asked 0.6"
    for nothing in ([], [undefined]):
        assert not asked(gate, {"slices": nothing}).passed
    loss = {"slices": "origin", "on": "roc_auc", "worse_by": 0.05}
    assert asked(loss, {"slices": [good]}).passed
    assert asked(loss, {"slices": [good, bad]}).why == "JFK lost 0.1 against production"


def test_people_count_once_and_those_who_do_not_count_are_told_of() -> None:
    ada, grace = {"by": "ada", "counts": True}, {"by": "grace", "counts": True}
    own = {"by": "eve", "counts": False, "why": "eve trained delay@v3"}
    policy = {"gates": [], "approvals": 2}
    assert not judge(policy, {"approvals": [ada, ada]}).passed
    assert not judge(policy, {"approvals": ["ada", "grace"]}).passed, "names are no approvals"
    (finding,) = judge(policy, {"approvals": [ada, own]}).rules
    assert not finding.passed
    assert "that of eve does not count: eve trained delay@v3" in finding.why
    assert judge(policy, {"approvals": [ada, grace, own]}).passed


def test_a_card_is_filled_when_somebody_wrote_under_its_headings() -> None:
    full = "---\nlicense: mit\n---\n# delay\n\n## Use\nTells which flights land late.\n"
    for text, gate, good in (
        (full, "card", True),
        (full, {"card": ["Use"]}, True),
        (full, {"card": ["Limits"]}, False),
        (full + "## Limits\nTODO\n", "card", False),
        (full + "## Limits\n<!-- say what it cannot do here -->\n", {"card": ["Limits"]}, False),
        (full + "## Limits\nTODO\n", {"card": ["use"]}, True),
        ("", "card", False),
    ):
        assert asked(gate, {"text": text}).passed is good, text


def test_data_has_an_age_and_was_validated() -> None:
    def old(newest: str | None) -> Any:
        return asked({"data_age": "90d"}, {"newest": newest, "now": "2026-03-01T00:00:00+00:00"})

    assert old("2026-01-01T00:00:00+00:00").passed
    assert old("2025-11-01T00:00:00+00:00").why == "the newest row is 120 days old"
    assert not old(None).passed
    assert "of the future" in old("2026-03-02T00:00:00+00:00").why
    good, broken = {"rules": 4, "broken": []}, {"rules": 4, "broken": ["min"]}
    assert asked("data_valid", {"sources": {"flights": good}}).passed
    assert not asked("data_valid", {"sources": {}}).passed
    assert not asked("data_valid", {"sources": {"flights": good, "weather": broken}}).passed
    assert not asked("data_valid", {"sources": {"flights": {"rules": 0, "broken": []}}}).passed
    assert not asked({"data_valid": ["planes"]}, {"sources": {"flights": good}}).passed


def test_drift_is_quiet_by_the_last_check() -> None:
    seen = {"at": "2026-02-20T00:00:00+00:00", "now": "2026-03-01T00:00:00+00:00"}
    gate: dict[str, Any] = {"drift_quiet": "prod"}
    assert asked(gate, {**seen, "severity": "ok"}).passed
    assert not asked(gate, {**seen, "severity": "warning"}).passed
    assert asked(gate | {"at_most": "warning"}, {**seen, "severity": "warning"}).passed
    assert not asked(gate | {"at_most": "warning"}, {**seen, "severity": "important"}).passed
    assert not asked(gate | {"within": "3d"}, {**seen, "severity": "ok"}).passed
    assert asked(gate, {"severity": None}).why == "prod was never checked"


@pytest.mark.parametrize(
    ("gate", "code", "hint"),
    [
        ("nonsense", "unknown-rule", "known"),
        ("golde", "unknown-rule", "'golden'"),
        ({"beter_than": "x"}, "unknown-rule", "'better_than'"),
        ("metrics.a >= ", "unknown-rule", "write it like"),
        ("__import__('os') == 1", "unknown-rule", "write it like"),
        (3, "unknown-rule", "{word: …}"),
        ({}, "unknown-rule", "known"),
        ("better_than", "missing-key", "better_than: …, on: …"),
        ({"better_than": "production"}, "missing-key", "add on:"),
        ({"better_than": "production", "onn": "x"}, "unknown-key", "'on'"),
        ({"slices": 3, "on": "roc_auc"}, "wrong-type", ""),
        ({"not_worse_than": "p", "on": "a", "margin": -1}, "wrong-value", ""),
        ({"better_than": "p", "on": "a", "alpha": 5}, "wrong-value", ""),
        ({"better_than": "p", "on": "a", "margin": math.inf}, "wrong-value", ""),
        ({"better_than": "p", "on": "a", "test": "t"}, "wrong-value", "paired or none"),
        ({"golden": False}, "wrong-value", "leave it out"),
        ({"approvals": True}, "wrong-type", ""),
        ({"approvals": 0}, "wrong-value", ""),
        ({"data_age": "soon"}, "wrong-value", "90d"),
        ({"formats": []}, "wrong-value", ""),
    ],
)
def test_a_rule_without_meaning_is_a_configuration_error(gate: Any, code: str, hint: str) -> None:
    with pytest.raises(ConfigError) as unknown:
        judge({"gates": [gate]}, {})
    assert unknown.value.code == code
    assert hint in (unknown.value.hint or "")


def test_a_verdict_is_plain_json_with_reasons() -> None:
    policy = {"gates": ["metrics.roc_auc >= 0.58", BETTER], "approvals": 1}
    answers = {"better than production on roc_auc": SHOWN}
    plain = judge(policy, {"metrics": {"roc_auc": 0.6}, "answers": answers}).plain()
    assert json.loads(json.dumps(plain)) == plain
    assert [rule["passed"] for rule in plain["rules"]] == [True, True, False]
    assert "0.72 against 0.7, p 0.01, asked 0.05, 900 rows" in plain["rules"][1]["why"]


def test_golden_rows_that_are_none_show_nothing() -> None:
    shown = {"golden": {"passed": True, "rows": 0, "max_abs": 0.0}}
    verdict = judge({"gates": ["golden"]}, shown)
    assert not verdict.passed and verdict.rules[0].why == "there are no golden rows"
