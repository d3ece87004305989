"""Whether a version may take an alias: policy and evidence in, a verdict with its reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.registry.rules.finding import Finding, Rule
from mlops_cli.registry.rules.table import read


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one policy; it passed if every rule did."""

    passed: bool
    rules: tuple[Finding, ...]

    @property
    def closed(self) -> tuple[Finding, ...]:
        """The rules that did not pass."""
        return tuple(rule for rule in self.rules if not rule.passed)

    def plain(self) -> dict[str, Any]:
        """Return the verdict as plain JSON."""
        return {"passed": self.passed, "rules": [rule.plain() for rule in self.rules]}


def rules(policy: Mapping[str, Any]) -> list[Rule]:
    """Return the rules of a policy: {gates, approvals, aliases}, of which `aliases` are those that
    its gates may name. Raises ConfigError as `table.read`."""
    known = policy.get("aliases") or ()
    found = [read(gate, aliases=known) for gate in policy.get("gates") or ()]
    if needed := int(policy.get("approvals") or 0):
        found.append(read({"approvals": needed}))
    return found


def judge(policy: Mapping[str, Any], evidence: Mapping[str, Any]) -> Verdict:
    """Hold `evidence` against `policy`; what was not shown does not pass.

    evidence: {metrics, parity, golden, format, clean_tree, patch}, approvals: [{by, counts, why}],
    aliases: {name: verdict}, answers: {name of a rule: what was gathered for it}.
    """
    asked = {
        **policy,
        "aliases": {*(policy.get("aliases") or ()), *(evidence.get("aliases") or ())},
    }
    findings = tuple(rule.judge(evidence) for rule in rules(asked))
    return Verdict(all(finding.passed for finding in findings), findings)
