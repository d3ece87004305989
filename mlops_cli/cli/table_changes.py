"""Which of the files that changed are tables, and what became of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.context import Context
from mlops_cli.cli.render import text
from mlops_cli.errors import IntegrityError, NotFound, StepFailed
from mlops_cli.features.tables import TableFile, is_table
from mlops_cli.project import Project
from mlops_cli.workspace.compare import DataChange, FileChange, Side

if TYPE_CHECKING:
    from mlops_cli.features.row_diff import RowDiff
    from mlops_cli.features.table_diff import TableDiff

UNASKED = 64 << 20  # bytes of tables that are looked into without being asked to
IN_MEMORY = 64 << 20  # a larger version is laid beside the cache for as long as it is read


@dataclass(frozen=True, slots=True)
class TableChange:
    """What became of one table; `rows` where that was asked."""

    diff: TableDiff
    rows: RowDiff | None


def look(
    ctx: Context,
    project: Project,
    changes: Sequence[DataChange],
    *,
    here: bool,
    every: bool,
    rows: bool,
    key: Sequence[str],
) -> dict[str, TableChange]:
    """Return what became of the tables among `changes`, by path. `here` says that the new side
    lies in the workspace. One that cannot be read is told in a warning, the others are compared.
    """
    found = [
        file
        for change in changes
        for file in change.files or ()
        if file.old and file.new and file.old != file.new
        if is_table(file.path) and _suffix(file.former or file.path) == _suffix(file.path)
    ]
    volume = sum(side.size for file in found for side in (file.old, file.new) if side)
    if not found:
        return {}
    if volume > UNASKED and not every:
        tables = text.count(len(found), "table")
        ctx.warn(f"{tables}, {text.size(volume)}, not looked into: --tables does")
        return {}
    told: dict[str, TableChange] = {}
    with ctx.progress.task("comparing tables", total=volume, unit="B") as task:
        for file in found:
            try:
                told[file.path] = _look(project, file, here=here, rows=rows, key=key)
            except (NotFound, IntegrityError, StepFailed) as exc:
                if key and exc.code == "key-not-unique":
                    raise
                ctx.warn(f"{file.path}: {exc.message}")
            task.advance(sum(side.size for side in (file.old, file.new) if side))
    return told


def plain(change: TableChange) -> dict[str, Any]:
    """Return what became of a table as it stands in the JSON document."""
    diff = change.diff
    return {
        "rows": {
            "old": diff.old.rows,
            "new": diff.new.rows,
            **(asdict(change.rows) if change.rows else {}),
        },
        "columns": {
            "added": list(diff.added),
            "removed": list(diff.removed),
            "retyped": list(diff.retyped),
            "changed": list(diff.changed),
            "reordered": diff.reordered,
        },
        "old": {name: asdict(column) for name, column in diff.old.columns.items()},
        "new": {name: asdict(column) for name, column in diff.new.columns.items()},
    }


def _look(
    project: Project, file: FileChange, *, here: bool, rows: bool, key: Sequence[str]
) -> TableChange:
    from mlops_cli.features import row_diff
    from mlops_cli.features.row_diff import Side as Version
    from mlops_cli.features.table_diff import compare, measure

    if file.old is None or file.new is None:
        raise AssertionError(file)
    name = file.path
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(_stored(project, file.old, file.former or name))
        if here:
            new = TableFile(project.root / name, name)
        else:
            new = stack.enter_context(_stored(project, file.new, name))
        before, after = measure(old.batches()), measure(new.batches())
        counted = None
        if rows or key:
            counted = row_diff.rows(Version(old, before), Version(new, after), key=key)
        return TableChange(compare(before, after), counted)


@contextlib.contextmanager
def _stored(project: Project, side: Side, name: str) -> Iterator[TableFile]:
    """Offer a version from the cache; every byte is hashed before it is looked at."""

    if side.size <= IN_MEMORY:
        yield TableFile(project.cache.read(side.digest), name)
        return
    with project.cache.objects.temporary() as path:
        project.cache.copy_to(side.digest, path)
        yield TableFile(path, name)


def _suffix(path: str) -> str:
    return path.rpartition(".")[2]
