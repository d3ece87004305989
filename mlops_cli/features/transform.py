"""The user's own rule that makes feature rows: a Python function or SQL, Arrow in, Arrow out."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, MlopsError, NotFound, StepFailed
from mlops_cli.features import engine, read
from mlops_cli.fsio import inside
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

    path, _, name = reference.partition(":")
    file = inside(root, path)
    with _loaded(root, file, name, reference) as function, _translated(reference, file):
        made = function(table)
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


@contextlib.contextmanager
def _loaded(
    root: Path, file: Path, name: str, reference: str
) -> Iterator[Callable[[pa.Table], Any]]:
    """Import `file` freshly for the time of the block; forget it and its project imports after."""
    if not file.is_file():
        raise NotFound(
            f"there is no file {reference.partition(':')[0]}",
            code="code-missing",
            hint="correct `transform` in pipeline.yaml, or write the file",
        )
    before, paths = set(sys.modules), list(sys.path)
    sys.path[:0] = [str(file.parent), str(root), str(root / "src")]
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_file_location("mlops_transform", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with _translated(reference, file):
            spec.loader.exec_module(module)
        function = getattr(module, name, None)
        if not callable(function):
            raise ConfigError(
                f"{file.name} has no function {name!r}",
                code="function-missing",
                hint="correct `transform: FILE.py:FUNCTION` in pipeline.yaml",
                details={"reference": reference},
            )
        yield function
    finally:
        sys.path[:] = paths
        sys.dont_write_bytecode = writes
        for added in set(sys.modules) - before:
            origin = getattr(sys.modules[added], "__file__", None)
            if origin is not None and Path(origin).is_relative_to(root):
                del sys.modules[added]


@contextlib.contextmanager
def _translated(reference: str, file: Path) -> Iterator[None]:
    """Turn whatever the user's code raises into one sentence with its file and line."""
    try:
        yield
    except MlopsError:
        raise
    except Exception as exc:
        frames = traceback.extract_tb(exc.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file)]
        if isinstance(exc, SyntaxError) and exc.filename == str(file):
            lines = [exc.lineno]
        where = f"{reference.partition(':')[0]}:{lines[-1]}" if lines else reference
        raise StepFailed(
            f"{where}: {type(exc).__name__}: {exc}",
            code="transform-failed",
            hint="correct the transform and run the same command again",
            details={"reference": reference, "traceback": traceback.format_exc()},
        ) from exc


def select(table: pa.Table, names: list[str], *, view: str) -> pa.Table:
    """Return the columns `names`. Raises StepFailed ("column-missing") naming view and column."""
    read.require(table, names, where=f"features.{view}")
    return table.select(names)
