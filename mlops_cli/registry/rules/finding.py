"""What a rule of a policy found: open or closed, on what evidence, and why in a few words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule held against the evidence; `evidence` is plain JSON."""

    name: str
    passed: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the finding as plain JSON."""
        return {
            "name": self.name,
            "passed": self.passed,
            "evidence": dict(self.evidence),
            "why": self.why,
        }


class Rule(Protocol):
    """A rule: a frozen dataclass whose first field is the word it is written with.

    `judge` is pure. What it asks for beyond the common evidence stands under its name in
    shown["answers"]; what is not there was not shown, and does not pass. So two rules that ask for
    different evidence have different names.
    """

    @property
    def name(self) -> str: ...

    def judge(self, shown: Shown) -> Finding: ...


def answer(rule: Rule, shown: Shown) -> Mapping[str, Any] | None:
    """Return the evidence that was gathered for this very rule, None where there is none."""
    found = (shown.get("answers") or {}).get(rule.name)
    return found if isinstance(found, Mapping) else None


def closed(rule: Rule, why: str, evidence: Mapping[str, Any] | None = None) -> Finding:
    """Return the finding that `rule` does not pass."""
    return Finding(rule.name, False, dict(evidence or {}), why)


def number(value: Any) -> float | None:
    """Return `value` as a number, None for what is none or is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def figure(value: Any) -> str:
    """Return a number as a person reads it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
