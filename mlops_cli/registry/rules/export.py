"""The file that is served answers as the model that was trained: parity, golden rows, format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_cli.registry.rules.finding import Finding, Shown, closed, number


@dataclass(frozen=True, slots=True)
class Parity:
    """parity, or {parity: 1.0e-6}: the export gives the answers of the trained model, within what
    was allowed at the export, or closer."""

    parity: float | None = None

    @property
    def name(self) -> str:
        """The word, with the bound where one is asked."""
        return "parity" if self.parity is None else f"parity {self.parity:g}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where the greatest difference is a number and small enough."""
        found = shown.get("parity") or {}
        gap, allowed = number(found.get("max_abs")), number(found.get("allowed"))
        if gap is None or allowed is None:
            return closed(self, "the export was not compared with the trained model", found)
        if self.parity is not None:
            allowed = min(allowed, self.parity)
        why = f"greatest difference {gap:.2g}, allowed {allowed:.2g}"
        return Finding(self.name, gap <= allowed, {"max_abs": gap, "allowed": allowed}, why)


@dataclass(frozen=True, slots=True)
class Golden:
    """golden: the stored rows, tried again here and now, give the stored answers."""

    golden: Literal[True] = True

    @property
    def name(self) -> str:
        """The word."""
        return "golden"

    def judge(self, shown: Shown) -> Finding:
        """Pass where they were tried and agree."""
        found = shown.get("golden")
        if not found:
            return closed(self, "the golden rows were not tried")
        if found.get("rows") == 0:
            return closed(self, "there are no golden rows", found)
        passed = found.get("passed") is True
        answers = "the stored answers" if passed else "other answers"
        return Finding(self.name, passed, dict(found), f"the golden rows give {answers}")


@dataclass(frozen=True, slots=True)
class Formats:
    """{formats: [onnx]}: the model is of one of these formats, told by its first bytes."""

    formats: tuple[str, ...]

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return f"format {' or '.join(self.formats)}"

    def judge(self, shown: Shown) -> Finding:
        """Pass where the bytes themselves are of such a format."""
        found = shown.get("format")
        if not found:
            return closed(self, "nobody looked which format it is")
        return Finding(self.name, found in self.formats, {"format": found}, f"it is {found}")
