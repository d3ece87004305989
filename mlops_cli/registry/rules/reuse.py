"""How often a test set was used to decide, and for how many uses it is large enough.

A test set that is asked again and again is learnt from, through the people who see the answers.
Renggli, Karlaš, Ding, Liu, Schawinski, Wu and Zhang (2019), Continuous Integration of Machine
Learning Models with ease.ml/ci, Proceedings of SysML, bound it: of a figure that is a mean over n
rows, each in a range of length r, Hoeffding's inequality gives

    P(estimate - truth > e) <= exp(-2 n e^2 / r^2)

and for H models to hold together with probability 1 - d each must hold with d / H where nobody
learns of an answer before the last model is made, and with d / 2^H where each answer, yes or no,
may shape the next model. So after H uses the figures hold to within

    blind:     e(H) = r sqrt(ln(H / d) / (2 n))
    adaptive:  e(H) = r sqrt((H ln 2 + ln(1 / d)) / (2 n))

Here r = 1, as of accuracy and brier. Of AUC the same holds with n = min(positives, negatives)
(Hoeffding 1963, section 5, two-sample U-statistics); that of the log loss has no bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed


@dataclass(frozen=True, slots=True)
class Reuse:
    """{reuse: 20, on: roc_auc, tolerance: 0.05, delta: 0.01, blind: false}: at most so many
    versions were decided on by these test rows, and after so many what they say of the metric
    holds to within `tolerance` with probability 1 - `delta`; `blind` where nobody learns of an
    answer in between."""

    reuse: int
    on: str | None = None
    tolerance: float | None = None
    delta: float = 0.01
    blind: bool = False

    @property
    def name(self) -> str:
        """What is asked, in words."""
        metric = f" on {self.on}" if self.on else ""
        return f"test rows used at most {self.reuse} times{metric}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where this use is within the budget; the version itself counts as one."""
        found = answer(self, shown)
        if found is None:
            return closed(self, "nobody counted how often they were used")
        uses, effective = int(found["uses"]), int(found["effective"])
        reached = tolerance(uses, effective, delta=self.delta, blind=self.blind)
        evidence = {**found, "budget": self.reuse, "tolerance": reached, "delta": self.delta}
        why = f"this is use {uses} of {self.reuse}, what they say holds to ±{reached:.2g}"
        if uses > self.reuse:
            return closed(self, f"{why}; bring new test rows", evidence)
        if self.tolerance is not None and reached > self.tolerance:
            evidence["needed"] = needed(
                uses, within=self.tolerance, delta=self.delta, blind=self.blind
            )
            more = evidence["needed"] - effective
            return closed(
                self, f"{why}, asked {self.tolerance:g}; {more:,} more labels are needed", evidence
            )
        return Finding(self.name, True, evidence, why)


def tolerance(uses: int, rows: int, *, delta: float, blind: bool = False) -> float:
    """Return e(H): to within what the figures hold after `uses` on `rows`; 1 is no promise."""
    if rows < 1:
        return 1.0
    return min(1.0, math.sqrt(_logs(uses, delta, blind) / (2 * rows)))


def needed(uses: int, *, within: float, delta: float, blind: bool = False) -> int:
    """Return how many rows make e(H) at most `within` after `uses`."""
    return math.ceil(_logs(uses, delta, blind) / (2 * within * within))


def _logs(uses: int, delta: float, blind: bool) -> float:
    models = math.log(max(uses, 1)) if blind else max(uses, 1) * math.log(2)
    return models - math.log(delta)
