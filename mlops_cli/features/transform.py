"""The user's own rule that makes feature rows: a Python function or SQL, Arrow in, Arrow out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import NotFound, StepFailed
from mlops_cli.features import engine, read
from mlops_cli.fsio import inside
from mlops_cli.pipeline import usercode
from mlops_cli.pipeline.model.data import FeatureView

if TYPE_CHECKING:
    import pyarrow as pa


def apply(table: pa.Table, view: FeatureView, *, root: Path) -> pa.Table:
    """Return what the view's transform or sql makes of `table`; `table` itself without one.

    The function is loaded freshly from its file, so an edit is always seen; its imports are
    looked up beside it and in the project. SQL sees one table, `source`, and no files. Raises
    StepFailed ("transform-failed", "transform-returned"), NotFound ("code-missing").
    """
    if view.transform is not None:
        return _call(table, view.transform, root)
    if view.sql is not None:
        return _query(table, view.sql, root)
    return table


def _call(table: pa.Table, reference: str, root: Path) -> pa.Table:
    import pyarrow as pa

    with usercode.forgotten(root):
        made = usercode.load(root, reference, key="transform", failed="transform-failed")(table)
    if not isinstance(made, pa.Table):
        raise StepFailed(
            f"{reference} returned {type(made).__name__}, not a pyarrow.Table",
            code="transform-returned",
            hint="end the function with: return table",
        )
    return made


def _query(table: pa.Table, path: str, root: Path) -> pa.Table:
    file = inside(root, path)
    if not file.is_file():
        raise NotFound(f"there is no file {path}", code="code-missing", hint=f"write {path}")
    # one thread: without ORDER BY the rows shall still come in the same order every time
    with engine.connect(threads=1) as connection:
        connection.register("source", table)
        query = file.read_text(encoding="utf-8")
        hint = "write one SELECT … FROM source; it sees that one table and no files"
        return engine.table(connection, query, what=path, hint=hint)


def select(table: pa.Table, names: list[str], *, view: str) -> pa.Table:
    """Return the columns `names`. Raises StepFailed ("column-missing") naming view and column."""
    read.require(table, names, where=f"features.{view}")
    return table.select(names)
