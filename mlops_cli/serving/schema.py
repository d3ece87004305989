"""What a model takes and gives: named columns with a type; and how a wrong request is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import IntegrityError

NUMPY: dict[str, str] = {
    "FP32": "<f4",
    "FP64": "<f8",
    "INT64": "<i8",
    "INT32": "<i4",
    "BOOL": "|b1",
    "BYTES": "|O",
}
FLOATS = frozenset({"FP32", "FP64"})
INTEGERS = {"INT64": 63, "INT32": 31}


class Refused(Exception):
    """A request that gets no number: the status of HTTP and a sentence for the client."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Column:
    """One input or output. `dtype` is a name of the Open Inference Protocol, see `NUMPY`.

    A missing value of a nullable column is NaN in floats and None in strings.
    """

    name: str
    dtype: str
    nullable: bool = False
    kind: str = ""  # what people call it where that is not the dtype: int, float, bool, string
    classes: tuple[Any, ...] = ()  # of an output [rows, classes]


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a model, in its own order; each [rows], an output with classes [rows, k]."""

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    task: str = "other"
    names: frozenset[str] = frozenset()


def parse(value: Any, *, source: str) -> Schema:
    """Return the schema that schema.json of a bundle holds.

    Raises IntegrityError ("malformed-schema").
    """
    try:
        inputs = tuple(_column(item) for item in value["inputs"])
        outputs = tuple(_column(item) for item in value["outputs"])
    except (KeyError, TypeError, ValueError) as exc:
        raise _malformed(source, f"{exc}") from exc
    names = frozenset(column.name for column in inputs)
    if not inputs or not outputs or len(names) != len(inputs):
        raise _malformed(source, "it needs inputs and outputs, each name once")
    return Schema(inputs, outputs, str(value.get("task", "other")), names)


def _column(item: Mapping[str, Any]) -> Column:
    name, dtype = str(item["name"]), str(item["dtype"])
    if dtype not in NUMPY:
        raise ValueError(f"column {name!r} has the unknown dtype {dtype!r}")
    nullable, classes = bool(item.get("nullable", False)), tuple(item.get("classes", ()))
    return Column(name, dtype, nullable, str(item.get("kind", "")), classes)


def _malformed(source: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{source} is not the schema of a model: {why}",
        code="malformed-schema",
        hint="register the model again",
    )


def check_names(schema: Schema, given: Mapping[str, Any], where: str = "") -> None:
    """Refuse names that the model does not know, and inputs that were left out."""
    if given.keys() == schema.names:
        return
    unknown = sorted(given.keys() - schema.names)
    missing = [column.name for column in schema.inputs if column.name not in given]
    if unknown:
        raise Refused(
            f"{where}unknown input {unknown[0]!r}; the model takes "
            + ", ".join(column.name for column in schema.inputs)
        )
    raise Refused(f"{where}input {missing[0]!r} is missing")
