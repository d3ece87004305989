"""Whether a version may take an alias: policy and evidence in, a verdict with its reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.errors import ConfigError, UsageError
from mlops_cli.ledger.expression import MISSING, comparison, look_up

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae", "mse"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One gate of a policy, whether it is open, on what evidence, and why in a few words."""

    name: str
    passed: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the rule as plain JSON."""
        return {
            "name": self.name,
            "passed": self.passed,
            "evidence": dict(self.evidence),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one policy; it passed if every rule did."""

    passed: bool
    rules: tuple[Rule, ...]

    def plain(self) -> dict[str, Any]:
        """Return the verdict as plain JSON."""
        return {"passed": self.passed, "rules": [rule.plain() for rule in self.rules]}


def judge(policy: Mapping[str, Any], evidence: Mapping[str, Any]) -> Verdict:
    """Hold `evidence` against `policy` ({gates, approvals}); what was not shown does not pass.

    evidence: {metrics: {name: number}, parity: {max_abs, allowed}, golden: {passed},
    better_than: {alias: {metric, challenger, champion, p_value, n} or None where the alias has no
    version yet}, clean_tree: bool, aliases: {name: verdict}, approvals: [actor]}.
    Raises ConfigError ("unknown-gate") for a gate that has no meaning.
    """
    gates: Sequence[Any] = policy.get("gates") or ()
    rules = [_rule(gate, evidence) for gate in gates]
    needed = int(policy.get("approvals") or 0)
    if needed:
        given = sorted(set(evidence.get("approvals") or ()))
        rules.append(
            Rule(
                "approvals",
                len(given) >= needed,
                {"needed": needed, "given": given},
                f"{len(given)} of {needed} given",
            )
        )
    return Verdict(all(rule.passed for rule in rules), tuple(rules))


def _rule(gate: Any, evidence: Mapping[str, Any]) -> Rule:
    if isinstance(gate, Mapping) and "better_than" in gate:
        return _better(gate, evidence)
    if not isinstance(gate, str):
        raise _unknown(gate)
    if gate == "parity":
        return _parity(evidence.get("parity"))
    if gate == "golden":
        return _golden(evidence.get("golden"))
    if gate == "clean_tree":
        clean = evidence.get("clean_tree") is True
        why = "the commit holds all the code" if clean else "files differ from the commit"
        return Rule(gate, clean, {"clean_tree": clean}, why)
    aliases = evidence.get("aliases") or {}
    if gate in aliases:
        passed = _passed(aliases[gate])
        why = f"the gates of {gate} are {'open' if passed else 'closed'}"
        return Rule(gate, passed, {"passed": passed}, why)
    if any(sign in gate for sign in "<>=!~"):
        return _compared(gate, evidence)
    raise _unknown(gate)


def _compared(gate: str, evidence: Mapping[str, Any]) -> Rule:
    try:
        condition = comparison(gate)
    except UsageError as exc:
        raise ConfigError(
            f"the gate {gate!r} cannot be read: {exc.message}",
            code="unknown-gate",
            hint="write it like: metrics.roc_auc >= 0.58",
        ) from exc
    actual = look_up(evidence, condition.field)
    if actual is MISSING:
        return Rule(gate, False, {}, f"{condition.field} was not measured")
    return Rule(
        gate,
        condition.holds(actual),
        {condition.field: actual},
        f"{condition.field} is {_figure(actual)}",
    )


def _parity(shown: Mapping[str, Any] | None) -> Rule:
    if not shown or shown.get("max_abs") is None or shown.get("allowed") is None:
        return Rule("parity", False, {}, "the export was not compared with the trained model")
    gap, allowed = float(shown["max_abs"]), float(shown["allowed"])
    why = f"greatest difference {gap:.2g}, allowed {allowed:.2g}"
    return Rule("parity", gap <= allowed, {"max_abs": gap, "allowed": allowed}, why)


def _golden(shown: Mapping[str, Any] | None) -> Rule:
    if not shown:
        return Rule("golden", False, {}, "the golden rows were not tried")
    passed = shown.get("passed") is True
    why = (
        "the golden rows give the stored answers"
        if passed
        else "the golden rows give other answers"
    )
    return Rule("golden", passed, dict(shown), why)


def _better(gate: Mapping[str, Any], evidence: Mapping[str, Any]) -> Rule:
    alias, metric = str(gate["better_than"]), str(gate.get("on", ""))
    name = f"better than {alias}" + (f" on {metric}" if metric else "")
    compared = evidence.get("better_than") or {}
    if alias not in compared:
        return Rule(name, False, {}, f"it was not compared with {alias}")
    shown = compared[alias]
    if shown is None or shown.get("champion") is None:
        return Rule(name, True, {"champion": None}, f"there is no {alias} yet")
    if shown.get("challenger") is None or (metric and shown.get("metric", metric) != metric):
        return Rule(name, False, dict(shown), f"{metric or 'the metric'} was not measured")
    gain = float(shown["challenger"]) - float(shown["champion"])
    if _lower_is_better(metric, shown):
        gain = -gain
    margin = float(gate.get("margin") or 0.0)
    why = f"{_figure(shown['challenger'])} against {_figure(shown['champion'])}"
    passed = gain > margin
    if gate.get("test") not in (None, "none"):
        alpha = float(gate.get("alpha") or 0.05)
        p_value = shown.get("p_value")
        passed = passed and p_value is not None and float(p_value) < alpha
        why += ", no test made" if p_value is None else f", p {float(p_value):.2g}, asked {alpha:g}"
    if shown.get("n") is not None:
        why += f", {shown['n']} rows"
    return Rule(name, passed, dict(shown), why)


def _lower_is_better(metric: str, shown: Mapping[str, Any]) -> bool:
    if "higher_is_better" in shown:
        return not shown["higher_is_better"]
    return metric.rpartition(".")[2] in LOWER_IS_BETTER


def _passed(shown: Any) -> bool:
    if isinstance(shown, Verdict):
        return shown.passed
    return shown.get("passed") is True if isinstance(shown, Mapping) else shown is True


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _unknown(gate: Any) -> ConfigError:
    return ConfigError(
        f"the gate {gate!r} has no meaning",
        code="unknown-gate",
        hint="a gate is a comparison (metrics.roc_auc >= 0.58), parity, golden, clean_tree,"
        " another alias of the model, or {better_than: …}",
    )
