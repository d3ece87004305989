"""What differs, as Markdown for a pull request: metrics, then data, then the tables in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_cli.cli.render import text
from mlops_cli.pipeline.traces.measured import Measured
from mlops_cli.workspace.compare import DataChange

if TYPE_CHECKING:
    from mlops_cli.cli.table_changes import TableChange

SHOWN = 50  # of each kind: a pull request is read by people


def page(
    changes: Sequence[DataChange], metrics: Sequence[Measured], tables: Mapping[str, TableChange]
) -> str:
    """Return the page; every name in it is shown as it is, whatever signs it holds."""
    parts = []
    rows: list[tuple[str, ...]]
    if metrics:
        rows = [
            (one.step, one.metric, _number(one.old), _number(one.new), _change(one))
            for one in metrics
        ]
        parts.append(_table("Metrics", ("step", "metric", "before", "after", "change"), rows))
    if changes:
        rows = [
            (
                f"{one.former} → {one.path}" if one.former else one.path,
                one.kind,
                "?" if one.files is None else f"{len(one.files):,}",
                text.size(one.old.size) if one.old else "",
                text.size(one.new.size) if one.new else "",
            )
            for one in changes
        ]
        parts.append(_table("Data", ("path", "kind", "files", "before", "after"), rows))
    if tables:
        rows = [(path, *_rows(change)) for path, change in sorted(tables.items())]
        heads = ("table", "rows before", "rows after", "added", "removed", "columns")
        parts.append(_table("Tables", heads, rows))
    return "\n\n".join(parts) or "No data and no metric differs."


def _rows(change: TableChange) -> tuple[str, ...]:
    diff, rows = change.diff, change.rows
    columns = [f"+{name}" for name in diff.added] + [f"-{name}" for name in diff.removed]
    columns += [f"~{name}" for name in diff.changed]
    counted = (f"{rows.added:,}", f"{rows.removed:,}") if rows else ("", "")
    return f"{diff.old.rows:,}", f"{diff.new.rows:,}", *counted, " ".join(columns)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _change(one: Measured) -> str:
    return "" if one.old is None or one.new is None else f"{one.new - one.old:+.3g}"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"### {title}", "", _line(heads), "|" + " --- |" * len(heads)]
    lines += [_line([_cell(cell) for cell in row]) for row in rows[:SHOWN]]
    more = [f"\n… and {len(rows) - SHOWN:,} more: `mlops diff`"] if len(rows) > SHOWN else []
    return "\n".join(lines + more)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(word: str) -> str:
    """Return a word in which Markdown and HTML find nothing of theirs."""
    return "".join(f"&#{ord(sign)};" if sign in _SIGNS else sign for sign in word)


_SIGNS = frozenset("&<>|*_`[]()!\\#~@\n\r\t")
