"""What is counted on the way through an ONNX file, and what speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mlops_cli.registry.modelfile.found import MOST_ELEMENTS, SHOWN, Problem
from mlops_cli.registry.modelfile.onnxtensor import Stored

# onnxruntime has the operators of all of these
DOMAINS = frozenset({"", "ai.onnx.ml", "com.microsoft"})
MOST_SHAPES = 10_000  # a courtesy: beyond, how large an operator makes things is not looked at


@dataclass(slots=True)
class Tally:
    """Counts, and names up to a limit."""

    tensors: int = 0
    parameters: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    functions: set[str] = field(default_factory=set)  # operators that the file defines itself
    external: dict[str, None] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)
    _shapes: dict[str, int] = field(default_factory=dict)  # a stored shape → elements it makes
    _grown: dict[str, str] = field(default_factory=dict)  # name of a shape → operator that uses it

    def stored(self, tensor: Stored, output: str = "") -> None:
        """Count a tensor; `output` is what a node calls it."""
        self.tensors += 1
        self.parameters += tensor.elements
        self.limit(tensor.elements, f"the tensor {tensor.name!r}")
        if tensor.external is not None:
            self._outside(tensor.external)
        if tensor.shape is not None:
            self.shape(output or tensor.name, tensor.shape)

    def shape(self, name: str, elements: int) -> None:
        """Note a constant shape."""
        if len(self._shapes) < MOST_SHAPES:
            self._shapes[name] = elements

    def grows(self, operator: str, shape: str) -> None:
        """Note that an operator makes a tensor of the shape of that name."""
        if len(self._grown) < MOST_SHAPES:
            self._grown[shape] = operator

    def limit(self, elements: int, what: str) -> None:
        """Take note of a tensor that is too large."""
        if elements > MOST_ELEMENTS:
            why = f"{what} has {_count(elements)} elements, {MOST_ELEMENTS:,} are allowed"
            self._problem("tensor-too-large", why)

    def close(self) -> Iterable[Problem]:
        """Return all problems, now that the whole file has been seen."""
        for name, operator in self._grown.items():
            self.limit(self._shapes.get(name, 0), f"what {operator} makes")
        foreign = sorted(
            name
            for name in self.operators
            if name.rpartition("::")[0] not in DOMAINS and name not in self.functions
        )
        if foreign:
            told = ", ".join(foreign[:SHOWN])
            self._problem("custom-domain", f"it uses operators that ONNX does not have: {told}")
        return self.problems

    def _outside(self, location: str) -> None:
        if len(self.external) < SHOWN:
            self.external[location] = None
        place = PurePosixPath(location.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in location:
            why = f"its weights lie in {location!r}, outside its folder"
            self._problem("external-data-outside", why)
        else:
            self._problem("external-data", f"its weights lie in another file, {location!r}")

    def _problem(self, code: str, why: str) -> None:
        if len(self.problems) < SHOWN:
            self.problems[Problem(code, why)] = None


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**18 else f"{float(min(number, 10**300)):.0e}"


def operator(domain: str, name: str) -> str:
    """Return what an operator is called here: "Add", "com.microsoft::Gelu"."""
    return name if domain in ("", "ai.onnx") else f"{domain}::{name}"
