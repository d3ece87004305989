"""A bound on a figure of the version: `metrics.roc_auc >= 0.58`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlops_cli.errors import ConfigError, UsageError
from mlops_cli.ledger.condition import MISSING, Comparison, look_up
from mlops_cli.ledger.expression import comparison
from mlops_cli.registry.rules.finding import Finding, Shown, closed, figure, number

SIGNS = "<>=!~"
APART = 1e-4  # what two machines may measure differently


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison, written as it is meant; `metrics` is what is compared in nearly all cases."""

    text: str
    condition: Comparison

    @property
    def name(self) -> str:
        """The comparison as it was written."""
        return self.text

    def judge(self, shown: Shown) -> Finding:
        """Pass where the figure was measured, is a number and is in bounds."""
        of = self.condition.field
        actual = look_up(shown, of)
        if actual is MISSING:
            return closed(self, f"{of} was not measured")
        if actual is None or (isinstance(actual, float) and math.isnan(actual)):
            return closed(self, f"{of} is undefined on the test rows", {of: None})
        why = f"{of} is {figure(actual)}"
        claim = look_up(shown.get("claims") or {}, of)
        if claim is not MISSING and number(claim) is not None and abs(claim - actual) > APART:
            why += f", and the version says {figure(claim)}"
        return Finding(self.name, self.condition.holds(actual), {of: actual}, why)


def bound(text: str) -> Bound:
    """Return the bound that `text` says. Raises ConfigError ("unknown-rule")."""
    try:
        return Bound(text, comparison(text))
    except UsageError as exc:
        raise ConfigError(
            f"the rule {text!r} cannot be read: {exc.message}",
            code="unknown-rule",
            hint="write it like: metrics.roc_auc >= 0.58",
        ) from exc
