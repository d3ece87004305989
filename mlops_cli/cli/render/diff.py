"""What differs, as a person reads it: marks, names, sizes, and of tables columns and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.render import text
from mlops_cli.pipeline.traces.measured import Measured
from mlops_cli.workspace.compare import DataChange, FileChange
from mlops_cli.workspace.renames import folder_moves

if TYPE_CHECKING:
    from mlops_cli.cli.table_changes import TableChange
    from mlops_cli.features.table_diff import Column

SHOWN = 20
WIDE = 24  # letters of a value
LOOKS = {
    "added": ("+", "green"),
    "modified": ("~", "yellow"),
    "deleted": ("-", "red"),
    "renamed": ("→", "blue"),
}


def counts(changes: Sequence[DataChange]) -> dict[str, int]:
    """Return how many files changed, by kind."""
    found = Counter[str](file.kind for change in changes for file in change.files or ())
    return {kind: found[kind] for kind in LOOKS}


def page(
    changes: Sequence[DataChange],
    tables: Mapping[str, TableChange],
    metrics: Sequence[Measured],
    *,
    everything: bool,
) -> str:
    """Return all changes, the first files of each path, what became of tables, and metrics."""
    if not changes:
        return "\n".join(["No data differs.", *_measured(metrics)])
    lines: list[str] = []
    for change in changes:
        mark, look = LOOKS[change.kind]
        former = f"{change.former} → " if change.former else ""
        lines.append(f"{text.style(mark, look, 'bold')} {former}{text.style(change.path, 'bold')}")
        if change.files is None:
            lines.append("    the cache lacks the listing that would tell more: mlops pull")
            continue
        lines += _files(change, tables, everything=everything)
    return "\n".join([*lines, "", _sum(changes), *_measured(metrics)])


def stat(changes: Sequence[DataChange], metrics: Sequence[Measured]) -> str:
    """Return one line for each path: how many files of which kind, and its bytes."""
    if not changes:
        return "\n".join(["No data differs.", *_measured(metrics)])
    rows = []
    for change in changes:
        found = Counter[str](file.kind for file in change.files or ())
        marks = " ".join(
            text.style(f"{mark}{found[kind]:,}", look)
            for kind, (mark, look) in LOOKS.items()
            if found[kind]
        )
        rows.append((change.path, marks or "?", _sizes(change)))
    return "\n".join([text.table(rows, align="llr"), "", _sum(changes), *_measured(metrics)])


def _measured(metrics: Sequence[Measured]) -> list[str]:
    rows = [
        (one.step, one.metric, _pair(_value(one.old), _value(one.new))) for one in metrics[:SHOWN]
    ]
    more = [f"… and {len(metrics) - SHOWN:,} more; --json has all"] if metrics[SHOWN:] else []
    return ["", text.table(rows, ("step", "metric", "")), *more] if rows else []


def _files(change: DataChange, tables: Mapping[str, TableChange], *, everything: bool) -> list[str]:
    lines = []
    moves = [] if everything else folder_moves(change.files or ())
    for move in moves:
        share = f", {100 * move.files // move.of} % of it" if move.of > move.files else ""
        edited = f", {move.edited} of them edited" if move.edited else ""
        lines.append(
            f"    {text.style('→', 'blue')}  {move.old} → {move.new}  "
            f"({text.count(move.files, 'file')}{share}{edited})"
        )
    inner = [file for file in change.files or () if not _told(file, moves)]
    alone = len(inner) == 1 and inner[0].path == change.path
    shown = inner if everything else inner[:SHOWN]
    width = max((len(_name(file, change.path)) for file in shown), default=0)
    for file in shown:
        mark, look = LOOKS[file.kind]
        if alone:
            lines.append(f"    {_sizes(change)}")
        else:
            name = _name(file, change.path).ljust(width)
            lines.append(f"    {text.style(mark, look)}  {name}  {_sizes(file)}".rstrip())
        if file.path in tables:
            lines += _table(tables[file.path])
    if len(inner) > len(shown):
        lines.append(f"    … and {len(inner) - len(shown):,} more (--all shows them)")
    return lines


def _told(file: FileChange, moves: Sequence[Any]) -> bool:
    """Tell whether the move of a folder says all there is to say about the file."""
    return (
        file.former is not None
        and file.old == file.new
        and any(
            file.path.startswith(move.new) and file.former == move.old + file.path[len(move.new) :]
            for move in moves
        )
    )


def _name(file: FileChange, base: str) -> str:
    if file.former is None:
        return file.path.removeprefix(base + "/")
    if not file.former.startswith(base + "/"):  # it came from something else that is tracked
        return f"{file.former} → {file.path}"
    return f"{file.former.removeprefix(base + '/')} → {file.path.removeprefix(base + '/')}"


def _table(change: TableChange) -> list[str]:
    diff, rows = change.diff, change.rows
    before, after = diff.old.rows, diff.new.rows
    words = [f"{before:,} → {after:,} rows" if before != after else text.count(after, "row")]
    if rows is not None:
        words += [f"{rows.added:,} added", f"{rows.removed:,} removed"]
        words += [f"{rows.changed:,} changed"] if rows.changed is not None else []
    lines = [", ".join(words)]
    lines += [f"+ {name}: {diff.new.columns[name].type}" for name in diff.added]
    lines += [f"- {name}: {diff.old.columns[name].type}" for name in diff.removed]
    if diff.reordered:
        lines.append("the columns have another order")
    cells = []
    for name in diff.changed[:SHOWN]:
        one, two = diff.old.columns[name], diff.new.columns[name]
        kind = one.type if one.type == two.type else f"{one.type} → {two.type}"
        rewritten = (rows.columns or {}).get(name) if rows else None
        cells.append(
            (
                f"~ {name}",
                kind,
                _pair(f"{one.nulls:,}", f"{two.nulls:,}"),
                _pair(_distinct(one), _distinct(two)),
                _pair(_value(one.min), _value(two.min)),
                _pair(_value(one.max), _value(two.max)),
                _pair(_value(one.mean), _value(two.mean)),
                text.count(rewritten, "row") if rewritten else "",
            )
        )
    if cells:
        heads = ("", "type", "nulls", "distinct", "min", "max", "mean", "")
        lines += text.table(cells, heads).splitlines()
    if len(diff.changed) > SHOWN:
        lines.append(f"… and {len(diff.changed) - SHOWN} more columns; --json has all")
    return [f"       {line}" for line in lines]


def _pair(one: str, two: str) -> str:
    return one if one == two else f"{one} → {two}"


def _distinct(column: Column) -> str:
    if column.distinct is None:
        return "-"
    return f"{column.distinct:,}{'' if column.exact else '+'}"


def _value(value: Any) -> str:
    if value is None:
        return "-"
    words = f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", " ")
    return words if len(words) <= WIDE else words[: WIDE - 1] + "…"


def _sizes(change: DataChange | FileChange) -> str:
    old, new = change.old, change.new
    one = new or old
    if old is None or new is None:
        return text.size(one.size) if one else ""
    words = (
        []
        if old.executable == new.executable
        else ["executable" if new.executable else "no longer executable"]
    )
    if old.digest != new.digest or not words:
        pair = f"{text.size(old.size)} → {text.size(new.size)}"
        words.insert(0, pair if old.digest != new.digest else text.size(new.size))
    return ", ".join(words)


def _sum(changes: Sequence[DataChange]) -> str:
    parts = [f"{number:,} {kind}" for kind, number in counts(changes).items() if number]
    return f"Files: {', '.join(parts) or 'unknown'}."
