"""Who stands for a version: signed by one who may, approved by others than its trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed


@dataclass(frozen=True, slots=True)
class Signed:
    """signed: the version carries a signature by a key that the allowed signers name."""

    signed: Literal[True] = True

    @property
    def name(self) -> str:
        """The word."""
        return "signed"

    def judge(self, shown: Shown) -> Finding:
        """Pass where a signature was checked and found good."""
        found = answer(self, shown)
        if found is None:
            return closed(self, "no signature was looked for")
        if not found.get("signer"):
            return closed(self, str(found.get("why") or "it is not signed"), found)
        return Finding(self.name, True, dict(found), f"by {found['signer']}")


@dataclass(frozen=True, slots=True)
class Approvals:
    """{approvals: 2}: so many people said yes, each with a key of their own that the allowed
    signers name, none of them the trainer."""

    approvals: int

    @property
    def name(self) -> str:
        """The word."""
        return "approvals"

    def judge(self, shown: Shown) -> Finding:
        """Pass where enough people gave one that counts; tell why others do not."""
        given = [each for each in shown.get("approvals") or () if isinstance(each, Mapping)]
        by = (str(each["by"]) for each in given if each.get("counts") is True)
        people = sorted({who.casefold(): who for who in by}.values())  # an address has no case
        void = [each for each in given if each.get("counts") is not True]
        why = f"{len(people)} of {self.approvals} given"
        if people:
            why += f", by {', '.join(people)}"
        if void:
            why += "; " + "; ".join(_void(each) for each in void)
        evidence: dict[str, Any] = {
            "needed": self.approvals,
            "given": people,
            "void": [{"by": each.get("by"), "why": each.get("why")} for each in void],
        }
        return Finding(self.name, len(people) >= self.approvals, evidence, why)


def _void(each: Mapping[str, Any]) -> str:
    return f"that of {each.get('by')} does not count: {each.get('why')}"
