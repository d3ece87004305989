"""Held against the version that an alias means now, both on the rows of the challenger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed, figure, number


@dataclass(frozen=True, slots=True)
class BetterThan:
    """{better_than: production, on: roc_auc, margin: 0.0, test: paired, alpha: 0.05}: the gain
    exceeds `margin`, and where a `test` is asked its p is below `alpha`."""

    better_than: str
    on: str
    margin: float = 0.0
    test: Literal["paired", "none"] = "none"
    alpha: float = 0.05

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return f"better than {self.better_than} on {self.on}" + _by(self.margin, "by")

    @property
    def beyond(self) -> float:
        """The gain that is to be exceeded."""
        return self.margin

    def judge(self, shown: Shown) -> Finding:
        """Pass where the gain was shown, and there is no champion to beat."""
        return _judged(
            self, self.better_than, self.margin, self.alpha, answer(self, shown), self.test
        )


@dataclass(frozen=True, slots=True)
class NotWorseThan:
    """{not_worse_than: production, on: roc_auc, margin: 0.01, alpha: 0.05}: a test of
    non-inferiority; that the loss is `margin` or more is refuted at `alpha`."""

    not_worse_than: str
    on: str
    margin: float
    alpha: float = 0.05

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return f"not worse than {self.not_worse_than} on {self.on}" + _by(self.margin, "by")

    @property
    def beyond(self) -> float:
        """The gain that is to be exceeded: a loss of `margin`."""
        return -self.margin

    def judge(self, shown: Shown) -> Finding:
        """Pass where so great a loss is refuted, and where there is no champion."""
        found = answer(self, shown)
        return _judged(self, self.not_worse_than, -self.margin, self.alpha, found, "paired")


def _judged(
    rule: BetterThan | NotWorseThan,
    alias: str,
    beyond: float,
    alpha: float,
    found: Mapping[str, Any] | None,
    test: str,
) -> Finding:
    if found is None:
        return closed(rule, f"it was not compared with {alias}")
    if found.get("version") is None:
        state = str(found.get("state") or f"there is no {alias} yet")
        return Finding(rule.name, True, {"champion": None}, state)
    ours, theirs = number(found.get("challenger")), number(found.get("champion"))
    gain = number(found.get("difference"))
    if ours is None or theirs is None or gain is None:
        return closed(rule, str(found.get("why") or f"{rule.on} was not measured"), found)
    why = f"{figure(ours)} against {figure(theirs)}"
    passed = gain > beyond
    if test != "none":
        p_value = number(found.get("p_value"))
        passed = passed and p_value is not None and p_value < alpha
        if p_value is None:
            why += ", no test made"
        else:
            why += f", p {p_value:.2g}, asked {alpha:g}"
    why += f", {found['n']} rows" if found.get("n") is not None else ""
    if not passed and (more := found.get("more")) is not None:
        why += f"; about {more:,} more labels would tell"
    return Finding(rule.name, passed, dict(found), why)


def _by(margin: float, word: str) -> str:
    return f" {word} {margin:g}" if margin else ""
