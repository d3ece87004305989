"""What was found in a model file: tensors, operators, size; and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_ELEMENTS = 1 << 33  # of one tensor; the largest that a file of 2 GiB holds has half of it
SHOWN = 20  # of what may be many: external files, foreign operators


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output. `shape`: a number, a name or None an axis; None where it is open."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "dtype": self.dtype, "shape": shape}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file may not be a model: a code for programs, a sentence for people."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A model file as it describes itself. Only ONNX has inputs, outputs, opset and IR version."""

    format: str
    size: int
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    opset: Mapping[str, int] = field(default_factory=dict)  # domain → version
    ir_version: int | None = None
    producer: str = ""
    operators: Mapping[str, int] = field(default_factory=dict)  # "domain::name" → how often
    tensors: int = 0  # stored ones: weights
    parameters: int = 0  # numbers in them
    external: tuple[str, ...] = ()  # files outside it that hold weights, as it names them
    problems: tuple[Problem, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "format": self.format,
            "size": self.size,
            "inputs": [tensor.to_plain() for tensor in self.inputs],
            "outputs": [tensor.to_plain() for tensor in self.outputs],
            "opset": dict(self.opset),
            "ir_version": self.ir_version,
            "producer": self.producer,
            "operators": dict(self.operators),
            "tensors": self.tensors,
            "parameters": self.parameters,
            "external": list(self.external),
            "problems": [{"code": each.code, "why": each.why} for each in self.problems],
        }

    def summary(self) -> dict[str, Any]:
        """Return what the tag of a version keeps of it."""
        return {
            "size": self.size,
            "opset": dict(self.opset),
            "ir_version": self.ir_version,
            "producer": self.producer,
            "tensors": self.tensors,
            "parameters": self.parameters,
        }
