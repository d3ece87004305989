"""The label as a model takes it, and what makes it unfit to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_cli.errors import StepFailed
from mlops_cli.features import check
from mlops_cli.features.recipe import Recipe

if TYPE_CHECKING:
    import pyarrow as pa


def column(table: pa.Table, recipe: Recipe) -> pa.ChunkedArray:
    """Return the label as a model takes it: 0/1 (binary), float64 (regression), as it is (else)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(recipe.label)
    if recipe.task == "regression":
        if not check.fits(values.type, "float"):
            raise _unfit(recipe, "label-not-a-number", f"holds {values.type}, not numbers")
        return values.cast(pa.float64(), safe=False)
    if recipe.task != "binary":
        return values
    if check.fits(values.type, "bool") or check.fits(values.type, "float"):
        numbers = values.cast(pa.int8() if check.fits(values.type, "bool") else values.type)
        if pc.all(pc.is_in(numbers, value_set=pa.array([0, 1]).cast(numbers.type))).as_py():
            return numbers.cast(pa.int8())
    found = ", ".join(map(str, values.unique().to_pylist()[:4]))
    raise _unfit(recipe, "label-not-binary", f"holds {found}, not only 0 and 1")


def _unfit(recipe: Recipe, code: str, what: str) -> StepFailed:
    return StepFailed(
        f"the label {recipe.label!r} {what}",
        code=code,
        hint="correct the source, or set another `project.task`",
        details={"column": recipe.label},
    )


def refuse_one_class(part: pa.Table, recipe: Recipe) -> None:
    if recipe.task in ("binary", "multiclass") and len(part.column(recipe.label).unique()) < 2:
        raise StepFailed(
            f"all {part.num_rows:,} rows to train with have the same label",
            code="one-class",
            hint="use more data or a longer window",
        )
