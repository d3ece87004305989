"""Runs side by side as people read them, on a screen or in a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.runs import figure, status
from mlops_cli.cli.render.text import style, table


def page(data: Mapping[str, Any], *, markdown: bool = False) -> str:
    """Return params, then metrics, a column for each run; then why, step by step."""
    runs = data["runs"]
    head = ["", *(run["id"] for run in runs)]
    parts = [_table([["status", *(status(run["status"]) for run in runs)]], head, markdown)]
    for field in ("params", "metrics"):
        rows = [[name, *map(_cell, values)] for name, values in data[field].items()]
        if rows:
            parts.append(_table(rows, [field, *head[1:]], markdown))
    if not data["params"] and not data["metrics"]:
        parts.append("Params and metrics are the same.")
    parts += [_why(one, markdown) for one in data["why"] or ()]
    return "\n\n".join(parts)


def _table(rows: Sequence[Sequence[str]], head: Sequence[str], markdown: bool) -> str:
    if not markdown:
        return table(rows, head, "l" + "r" * (len(head) - 1))
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


def _why(one: Mapping[str, Any], markdown: bool) -> str:
    name = f"**{one['step']}**" if markdown else style(one["step"], "bold")
    lines = [f"{name}: outputs are {'the same' if one['outputs'] == 'same' else 'different'}"]
    rows = [(each["part"], each["sentence"]) for each in one["differences"]]
    if markdown:
        lines += ["", *(f"- {part}: {sentence}" for part, sentence in rows)]
    elif rows:
        lines.append(table(rows, indent="  "))
    lines.append(f"  the same: {', '.join(one['same']) or 'nothing'}")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return "-" if value is None else figure(value)
