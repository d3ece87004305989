"""One thing that a check found: what was measured, against which limit, with what evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["ok", "warning", "important"]
_ORDER: dict[Severity, int] = {"ok": 0, "warning": 1, "important": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A measured value and how serious it is; `p_value` is None where no test was made."""

    family: Literal["quality", "drift", "performance"]
    subject: str  # a column, the score, a metric
    measure: str  # psi, nulls, unknown, outside, drop …
    value: float
    limit: float
    severity: Severity
    sentence: str
    p_value: float | None = None

    def plain(self) -> dict[str, Any]:
        """Return the finding as it stands in a record and in JSON."""
        plain: dict[str, Any] = {
            "subject": self.subject,
            "measure": self.measure,
            "value": round(self.value, 6),
            "limit": self.limit,
            "severity": self.severity,
            "sentence": self.sentence,
        }
        if self.p_value is not None:
            plain["p_value"] = float(f"{self.p_value:.3g}")
        return plain


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the greatest severity among `findings`, "ok" for none."""
    return max((item.severity for item in findings), key=_ORDER.__getitem__, default="ok")
