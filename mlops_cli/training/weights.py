"""weights.safetensors: arrays by name in a file that cannot run code; the door to safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import IntegrityError, MissingExtra

if TYPE_CHECKING:
    import numpy.typing as npt

FILE = "weights.safetensors"


def encode(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the file of `arrays`; the same arrays give the same bytes."""
    import numpy as np

    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    data: bytes = _library().save(ordered)
    return data


def decode(data: bytes, *, source: str = FILE) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in `data`. Raises IntegrityError ("malformed-weights")."""
    library = _library()
    try:
        arrays: dict[str, npt.NDArray[Any]] = library.load(data)
    except Exception as exc:  # not every version exports its own class of error
        raise IntegrityError(
            f"{source} is not a safetensors file: {exc}",
            code="malformed-weights",
            hint="write it with safetensors; a pickle is never read",
        ) from exc
    return arrays


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as exc:
        raise MissingExtra.of("safetensors", "torch") from exc
    return safetensors.numpy
