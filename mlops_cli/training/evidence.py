"""What the rules of an alias ask for, gathered here and now: a stored verdict proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.registry import approval, formats, gate
from mlops_cli.registry.rules.alias import AliasRules
from mlops_cli.registry.rules.bound import Bound
from mlops_cli.registry.rules.card import Card
from mlops_cli.registry.rules.champion import BetterThan, NotWorseThan
from mlops_cli.registry.rules.data import DataAge, DataValid, DriftQuiet
from mlops_cli.registry.rules.export import Formats, Golden
from mlops_cli.registry.rules.finding import Rule, number
from mlops_cli.registry.rules.people import Approvals, Signed
from mlops_cli.registry.rules.reuse import Reuse
from mlops_cli.registry.rules.slices import Slices
from mlops_cli.registry.rules.source import CleanTree, ProtectedBranch
from mlops_cli.registry.version import Version
from mlops_cli.training import golden, traced
from mlops_cli.training.case import Case
from mlops_cli.training.policy import Policy

if TYPE_CHECKING:
    from mlops_cli.training.paired import Comparison


@dataclass(frozen=True, slots=True)
class Rivalry:
    """A comparison with the version that an alias means."""

    alias: str
    champion: Version
    found: Comparison


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence, as `registry.gate` takes it, and the comparisons that are in it."""

    shown: dict[str, Any]
    rivalries: list[Rivalry] = field(default_factory=list)
    rows: str | None = None  # digest of the test rows, where they were used


def gather(case: Case, policy: Policy) -> Gathered:
    """Return the evidence for the rules of `policy`, and only for those.

    Raises StateRefused ("not-comparable"), IntegrityError for what is damaged, NotFound
    ("missing-object") where bundle or test rows are not in the cache.
    """
    payload = case.version.payload
    shown: dict[str, Any] = {
        "metrics": dict(payload.get("metrics") or {}),
        "claims": {"metrics": dict(payload.get("metrics") or {})},
        "parity": payload.get("parity") or {},
        "aliases": {},
        "answers": {},
    }
    gathered = _Gathering(case, policy, shown)
    gathered.judge(policy.alias)
    used = gathered.scored and case.tested
    return Gathered(shown, gathered.rivalries, str(case.scored.digest) if used else None)


@dataclass(slots=True)
class _Gathering:
    case: Case
    policy: Policy
    shown: dict[str, Any]
    rivalries: list[Rivalry] = field(default_factory=list)
    scored: bool = False

    def judge(self, alias: str) -> None:
        """Gather for `alias`, the aliases that stand in its gates first."""
        for rule in gate.rules(self.policy.of(alias)):
            if isinstance(rule, AliasRules):
                self.judge(rule.alias)
                asked = self.policy.of(rule.alias)
                self.shown["aliases"][rule.alias] = gate.judge(asked, self.shown).plain()
            else:
                self.ask(rule)

    def ask(self, rule: Rule) -> None:
        """Gather what one rule asks for."""
        case, found = self.case, None
        match rule:
            case BetterThan() | NotWorseThan():
                found = self.compared(rule)
            case Slices():
                found = self.sliced(rule)
            case Bound():
                self.measure(rule)
            case Golden():
                self.shown["golden"] = _golden(case)
            case Formats():
                self.shown["format"] = formats.of_bytes(case.parts.cache.read(case.version.digest))
            case CleanTree():
                self.shown["clean_tree"] = traced.clean(case)
                self.shown["patch"] = traced.patch(case)
            case Approvals():
                self.shown["approvals"] = approval.counted(
                    case.parts.git,
                    case.version,
                    case.alias,
                    allowed=case.protected.allowed(),
                    trainers=traced.trainers(case),
                    at=case.at,
                )
            case Reuse():
                if case.tested:
                    self.scored = True
                    found = traced.uses(case) | {"effective": case.scored.effective(rule.on)}
            case DriftQuiet():
                found = traced.drift(case, rule.drift_quiet)
            case _:
                found = _ASKED[type(rule)](case) if type(rule) in _ASKED else None
        if found is not None:
            self.shown["answers"][rule.name] = found

    def compared(self, rule: BetterThan | NotWorseThan) -> dict[str, Any] | None:
        """Return the comparison that `rule` asks for, both scored on the challenger's rows."""
        alias = rule.better_than if isinstance(rule, BetterThan) else rule.not_worse_than
        champion, state = self.case.champion(alias)
        if champion is None:
            return {"version": None, "state": state}
        if not self.case.tested:
            return None
        self.scored = True
        common = {"version": champion.number, "rows": str(self.case.scored.digest)}
        try:
            found = self.case.scored.compare(
                champion, metric=rule.on, margin=rule.beyond, alpha=rule.alpha
            )
        except ConfigError as exc:
            if exc.code != "metric-undefined":
                raise
            return {**common, "challenger": None, "champion": None, "why": exc.message}
        self.rivalries.append(Rivalry(alias, champion, found))
        return {**common, **found.to_plain()}

    def sliced(self, rule: Slices) -> dict[str, Any] | None:
        """Return the metric in each slice."""
        if not self.case.tested:
            return None
        self.scored = True
        champion = self.case.champion(rule.than)[0] if rule.worse_by is not None else None
        found = self.case.scored.slices(rule.slices, rule.on, champion)
        return {"slices": found, "rows": str(self.case.scored.digest)}

    def measure(self, rule: Bound) -> None:
        """Measure the metric again: what the version says of itself is a claim."""
        from mlops_cli.training.evaluate import measure

        section, _, metric = rule.condition.field.partition(".")
        if section != "metrics" or not self.case.tested or metric not in self.shown["metrics"]:
            return
        scored = self.case.scored
        try:
            found = measure(scored.label, scored.of(self.case.version), [metric])
        except ConfigError as exc:
            if exc.code != "unknown-metric":
                raise
            return  # a figure that the training itself reported
        self.scored = True
        self.shown["metrics"] |= found


def _golden(case: Case) -> dict[str, Any]:
    """Try the golden rows again, on the model that the tag names and not on any the bundle has."""
    allowed = number((case.version.payload.get("parity") or {}).get("allowed"))
    try:
        rows = case.bundle.read("golden.arrow")
    except NotFound as exc:
        if exc.code != "incomplete-bundle":
            raise
        return {}
    model = case.parts.cache.read(case.version.digest)
    return golden.check(model, rows, allowed=1e-5 if allowed is None else allowed).to_plain()


_ASKED: dict[type, Callable[[Case], dict[str, Any] | None]] = {
    ProtectedBranch: traced.branch,
    Signed: traced.signed,
    Card: traced.card,
    DataValid: traced.validated,
    DataAge: traced.age,
}
