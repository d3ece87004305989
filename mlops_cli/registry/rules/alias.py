"""The rules of another alias of the same model: production asks what staging asks, and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.registry.rules.finding import Finding, Shown, closed


@dataclass(frozen=True, slots=True)
class AliasRules:
    """staging, where that is an alias of the model: all of its rules pass."""

    alias: str

    @property
    def name(self) -> str:
        """The alias."""
        return self.alias

    def judge(self, shown: Shown) -> Finding:
        """Pass where the verdict on the other alias, reached on the same evidence, is yes."""
        found = (shown.get("aliases") or {}).get(self.alias)
        if not isinstance(found, Mapping):
            return closed(self, f"{self.alias} was not judged")
        passed = found.get("passed") is True
        shut: list[Any] = [rule["name"] for rule in found.get("rules") or () if not rule["passed"]]
        evidence: dict[str, Any] = {"passed": passed} | ({"closed": shut} if shut else {})
        state = "open" if passed else "closed"
        why = f"the gates of {self.alias} are {state}" + (f": {', '.join(shut)}" if shut else "")
        return Finding(self.name, passed, evidence, why)
