"""What one check saw and decided, and the one word for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mlops_cli.monitoring.decide import Decision
from mlops_cli.monitoring.finding import Finding, worst

Verdict = Literal["quiet", "warning", "alarm", "retrain", "not-enough-data"]
FAMILIES = ("quality", "drift", "performance")


@dataclass(frozen=True, slots=True)
class Check:
    """What a check saw and decided; `record` and `decided` are its records in the ledger."""

    monitor: str
    start: datetime
    end: datetime
    rows: int
    labelled: int
    model: str | None
    version: int | None
    findings: tuple[Finding, ...]
    metrics: Mapping[str, float]
    verdict: Verdict
    decision: Decision
    record: str | None = None
    decided: str | None = None

    def family(self, name: str) -> list[Finding]:
        """Return the findings of one family."""
        return [item for item in self.findings if item.family == name]

    def families(self) -> dict[str, dict[str, Any]]:
        """Return family → its severity and findings, as they stand in the record."""
        return {
            family: {
                "severity": worst(self.family(family)),
                "findings": [item.plain() for item in self.family(family)],
            }
            for family in FAMILIES
        }


def severities(findings: Sequence[Finding]) -> dict[str, str]:
    """Return family → the worst of its findings."""
    return {
        family: worst(item for item in findings if item.family == family) for family in FAMILIES
    }


def verdict(findings: Sequence[Finding], decision: Decision) -> Verdict:
    """Return the word for what was found, where there were rows enough."""
    if decision.action == "retrain":
        return "retrain"
    levels: dict[str, Verdict] = {"ok": "quiet", "warning": "warning", "important": "alarm"}
    return levels[worst(findings)]


def exit_code(result: Check) -> int:
    """Return 0 quiet, 1 alarm, 3 warning, 4 retrain due, 5 not enough data."""
    codes: dict[Any, int] = {"quiet": 0, "alarm": 1, "warning": 3, "retrain": 4}
    return codes.get(result.verdict, 5)
