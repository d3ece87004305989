"""An ONNX file as it describes itself, read off its bytes: no onnx, no onnxruntime, no weights.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
"""

from __future__ import annotations

import math
from collections.abc import Sized
from typing import TypeVar

from mlops_cli.registry.modelfile import onnxtensor
from mlops_cli.registry.modelfile.found import Found, Tensor
from mlops_cli.registry.modelfile.onnxtally import Tally, operator
from mlops_cli.registry.modelfile.protobuf import LENGTH, VARINT, Bytes, Malformed, Reader, signed

T = TypeVar("T", bound=Sized)

MOST_SIZE = (1 << 31) - 1  # of a message of protobuf
MOST_NAMES = 10_000  # of inputs, outputs, functions, kinds of operators
DEPTH = 32  # of graphs in graphs

_GROWS = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}  # which input says how large it gets
_RANK = 64  # axes of a shape; longer lists are none
_DRAWS = ("RandomNormal", "RandomUniform")


def read(data: Bytes, size: int) -> Found:
    """Return what the file says. Raises Malformed for what is no sound ONNX file."""
    if size > MOST_SIZE:
        raise Malformed(f"it has {size:,} bytes, more than an ONNX file can", "too-large")
    walk = _Walk(Reader(data, size))
    walk.model(size)
    return walk.found(size)


class _Walk:
    """One way through all graphs of a file."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.tally = Tally()
        self.graphs = 0
        self.ir: int | None = None
        self.producer = ""
        self.opset: dict[str, int] = {}
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}

    def found(self, size: int) -> Found:
        if self.ir is None or not self.graphs or not self.opset:
            lacks = "IR version" if self.ir is None else "opset" if self.graphs else "graph"
            raise Malformed(f"it has no {lacks}, so it is no ONNX model")
        tally, problems = self.tally, tuple(self.tally.close())
        return Found(
            "onnx",
            size,
            tuple(self.inputs.values()),
            tuple(self.outputs.values()),
            self.opset,
            self.ir,
            self.producer,
            dict(sorted(tally.operators.items())),
            tally.tensors,
            tally.parameters,
            tuple(tally.external),
            problems,
        )

    def model(self, size: int) -> None:
        one = self.reader
        for number, wire, a, b in one.fields(0, size):
            if number == 1 and wire == VARINT:
                self.ir = signed(a)
            elif wire != LENGTH:
                continue
            elif number == 2:
                self.producer = one.name(a, b, "the producer")
            elif number == 7:
                self.graphs += 1
                self._graph(a, b, 0)
            elif number == 8:
                self._opset(a, b)
            elif number == 20:  # training_info: two graphs
                for inner, kind, x, y in one.fields(a, b):
                    if inner in (1, 2) and kind == LENGTH:
                        self._graph(x, y, 1)
            elif number == 25:
                self._function(a, b)

    def _opset(self, a: int, b: int) -> None:
        domain, version = "", 0
        for number, wire, x, y in self.reader.fields(a, b):
            if number == 1 and wire == LENGTH:
                domain = self.reader.name(x, y, "a domain")
            elif number == 2 and wire == VARINT:
                version = signed(x)
        self._few(self.opset, "opsets")[domain or "ai.onnx"] = version

    def _function(self, a: int, b: int) -> None:
        name = domain = ""
        for number, wire, x, y in self.reader.fields(a, b):
            if wire != LENGTH:
                continue
            if number in (1, 10):
                words = self.reader.name(x, y, "a function")
                name, domain = (words, domain) if number == 1 else (name, words)
            elif number == 7:
                self._node(x, y, 1)
            elif number == 11:
                self._attribute(x, y, 1, "", "")
        self._few(self.tally.functions, "functions").add(operator(domain, name))

    def _graph(self, a: int, b: int, depth: int) -> None:
        if depth > DEPTH:
            raise Malformed(f"its graphs lie more than {DEPTH} deep in each other", "too-deep")
        stored: set[str] = set()
        for number, wire, x, y in self.reader.fields(a, b):
            if wire != LENGTH:
                continue
            if number == 1:
                self._node(x, y, depth)
            elif number == 5:
                name = self._tensor(x, y)
                if len(stored) < MOST_NAMES:
                    stored.add(name)
            elif number == 15:
                self._sparse(x, y)
            elif number in (11, 12, 13):
                tensor = onnxtensor.declared(self.reader, x, y)
                elements = math.prod(d for d in tensor.shape or () if isinstance(d, int))
                self.tally.limit(elements, f"the shape of {tensor.name!r}")
                if depth == 0 and number != 13:
                    place = self.inputs if number == 11 else self.outputs
                    self._few(place, "inputs or outputs")[tensor.name] = tensor
        if depth == 0:  # before IR version 4 weights were inputs as well
            self.inputs = {n: tensor for n, tensor in self.inputs.items() if n not in stored}

    def _node(self, a: int, b: int, depth: int) -> None:
        one = self.reader
        kind = domain = output = ""
        inputs: list[str] = []
        attributes: list[tuple[int, int]] = []
        for number, wire, x, y in one.fields(a, b):
            if wire != LENGTH:
                continue
            if number == 5:
                attributes.append((x, y))
            elif number in (1, 2, 3, 4, 7):
                words = one.name(x, y, "a value" if number < 3 else "an operator")
                if number == 1 and len(inputs) < 2:
                    inputs.append(words)
                output = output or words if number == 2 else output
                kind = words if number == 4 else kind
                domain = words if number == 7 else domain
        name = operator(domain, kind)
        self._few(self.tally.operators, "kinds of operators")[name] += 1
        for x, y in attributes:
            self._attribute(x, y, depth, name, output)
        if name in _GROWS and len(inputs) > _GROWS[name]:
            self.tally.grows(name, inputs[_GROWS[name]])

    def _attribute(self, a: int, b: int, depth: int, kind: str, output: str) -> None:
        one = self.reader
        name, numbers = "", list[int]()
        for number, wire, x, y in one.fields(a, b):
            if number == 8 and len(numbers) < _RANK and (wire == VARINT or y - x <= 10 * _RANK):
                numbers += one.integers(wire, x, y, most=10 * _RANK, what="an attribute")
            elif wire != LENGTH:
                continue
            elif number == 1:
                name = one.name(x, y, "an attribute")
            elif number in (5, 10):
                self._tensor(x, y, output if kind == "Constant" else "")
            elif number in (6, 11):
                self._graph(x, y, depth + 1)
            elif number in (22, 23):
                self._sparse(x, y)
        if numbers and kind in _DRAWS and name == "shape":
            self.tally.limit(math.prod(numbers), f"what {kind} makes")
        elif numbers and name == "value_ints":
            self.tally.shape(output, math.prod(max(n, 0) for n in numbers))

    def _tensor(self, a: int, b: int, output: str = "") -> str:
        tensor = onnxtensor.read(self.reader, a, b)
        self.tally.stored(tensor, output)
        return tensor.name

    def _sparse(self, a: int, b: int) -> None:
        dims: list[int] = []
        for number, wire, x, y in self.reader.fields(a, b):
            if number in (1, 2) and wire == LENGTH:
                self._tensor(x, y)
            elif number == 3:
                dims += self.reader.integers(wire, x, y, most=64, what="a sparse shape")
        self.tally.limit(math.prod(dims), "a sparse tensor")

    def _few(self, place: T, what: str) -> T:
        if len(place) > MOST_NAMES:
            raise Malformed(f"it has more than {MOST_NAMES:,} {what}", "too-many-fields")
        return place
