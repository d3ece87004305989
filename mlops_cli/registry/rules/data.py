"""What the model was made from: validated, and not too old; and what it meets now: no drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mlops_cli.errors import ConfigError
from mlops_cli.quantities import duration
from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed

_CALM = {"quiet": ("quiet",), "warning": ("quiet", "warning")}


@dataclass(frozen=True, slots=True)
class DataValid:
    """data_valid: each source of the model was held against its rules, and kept them;
    {data_valid: [flights]} asks it of these sources."""

    data_valid: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The word, with the sources where they are named."""
        return "data_valid" + (f" of {', '.join(self.data_valid)}" if self.data_valid else "")

    def judge(self, shown: Shown) -> Finding:
        """Pass where every source was validated by at least one rule, and none is broken."""
        found = answer(self, shown)
        sources = (found or {}).get("sources") or {}
        if not sources:
            return closed(self, "no source of it was validated", found)
        absent = [name for name in self.data_valid if name not in sources]
        if absent:
            return closed(self, f"it was not made from {', '.join(absent)}", found)
        wanted = self.data_valid or tuple(sources)
        broken = [name for name in wanted if sources[name]["broken"]]
        unasked = [name for name in wanted if not sources[name]["rules"]]
        if broken:
            return closed(self, f"rules of {', '.join(broken)} are broken", found)
        if unasked:
            return closed(self, f"no rule is asked of {', '.join(unasked)}", found)
        rules = sum(sources[name]["rules"] for name in wanted)
        return Finding(self.name, True, dict(found or {}), f"{rules} rules of {len(wanted)} hold")


@dataclass(frozen=True, slots=True)
class DataAge:
    """{data_age: 90d}: the newest row that the model could learn or be tested from is no older."""

    data_age: str

    def __post_init__(self) -> None:
        _duration(self.data_age)

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return f"data no older than {self.data_age}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where the newest row has a time, and it is recent; a time to come is refused."""
        found = answer(self, shown)
        if found is None or not found.get("newest"):
            return closed(self, "its rows have no time", found)
        age = datetime.fromisoformat(found["now"]) - datetime.fromisoformat(found["newest"])
        if age.total_seconds() < 0:
            return closed(self, f"its newest row is of the future, {found['newest']}", found)
        why = f"the newest row is {age.days} days old"
        return Finding(self.name, age <= _duration(self.data_age), dict(found), why)


@dataclass(frozen=True, slots=True)
class DriftQuiet:
    """{drift_quiet: prod, at_most: quiet, within: 14d}: the last check of the monitor found no
    drift; with `within` it must be that recent. No check yet is nothing to be quiet about."""

    drift_quiet: str
    at_most: Literal["quiet", "warning"] = "quiet"
    within: str | None = None

    def __post_init__(self) -> None:
        if self.within is not None:
            _duration(self.within)

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return f"drift of {self.drift_quiet} {self.at_most}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where the drift that was seen last is no worse than `at_most`."""
        found = answer(self, shown)
        if found is None:
            return closed(self, f"the checks of {self.drift_quiet} were not looked at")
        if found.get("severity") is None:
            return closed(self, f"{self.drift_quiet} was never checked", found)
        severity = {"ok": "quiet"}.get(found["severity"], found["severity"])
        calm = severity in _CALM[self.at_most]
        why = f"{severity} in the check of {str(found.get('at'))[:10]}"
        if calm and self.within is not None:
            age = datetime.fromisoformat(found["now"]) - datetime.fromisoformat(found["at"])
            calm = age <= _duration(self.within)
            why += f", {age.days} days ago"
        return Finding(self.name, calm, dict(found), why)


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=duration(text))
    except (ValueError, OverflowError) as exc:
        raise ConfigError(
            f"{text!r} is not a duration", code="wrong-value", hint="write it like 90d or 12h"
        ) from exc
