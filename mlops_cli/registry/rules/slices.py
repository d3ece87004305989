"""No part of the test rows does badly, though the whole does well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed, figure, number


@dataclass(frozen=True, slots=True)
class Slices:
    """{slices: origin, on: roc_auc, at_least: 0.55}: in each value of the column with enough rows
    the metric is at least (`at_most`: at most) that; `worse_by` bounds the loss against the
    version that the alias `than` means."""

    slices: str
    on: str
    at_least: float | None = None
    at_most: float | None = None
    worse_by: float | None = None
    than: str = "production"

    @property
    def name(self) -> str:
        """What is asked, in words."""
        against = f" against {self.than}" if self.worse_by is not None else ""
        return f"slices of {self.slices} on {self.on}{against}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where every slice that can be measured is in bounds, and there is one."""
        found = answer(self, shown)
        if found is None:
            return closed(self, f"{self.slices} was not looked at")
        rows = [each for each in found.get("slices") or () if number(each.get("value")) is not None]
        undefined = len(found.get("slices") or ()) - len(rows)
        evidence = {"slices": rows, "undefined": undefined, "rows": found.get("rows")}
        if not rows:
            return closed(self, f"no value of {self.slices} has rows enough to measure", evidence)
        bad = [(each, why) for each in rows if (why := self._broken(each))]
        if bad:
            told = ", ".join(f"{each['slice']} {why}" for each, why in bad[:3])
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            return closed(self, f"{told}{more}", evidence)
        least = min(rows, key=lambda each: float(each["value"]))
        if self.at_least is None and self.at_most is not None:
            least = max(rows, key=lambda each: float(each["value"]))
        why = f"the worst of {len(rows)} is {least['slice']} with {figure(float(least['value']))}"
        return Finding(self.name, True, evidence, why)

    def _broken(self, each: dict[str, Any]) -> str | None:
        value = float(each["value"])
        if self.at_least is not None and value < self.at_least:
            return f"is {figure(value)}, asked {self.at_least:g}"
        if self.at_most is not None and value > self.at_most:
            return f"is {figure(value)}, at most {self.at_most:g} is asked"
        loss = number(each.get("loss"))
        if self.worse_by is not None and loss is not None and loss > self.worse_by:
            return f"lost {figure(loss)} against {self.than}"
        return None
