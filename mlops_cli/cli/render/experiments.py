"""Experiments side by side as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.runs import figure, status
from mlops_cli.cli.render.text import count, style, table

MOST = 4  # metrics in a table


def page(data: Mapping[str, Any]) -> str:
    """Return the trials as a table, the best one marked, and what to do with a result."""
    trials = data["trials"]
    if not trials:
        return "No trial has ended."
    names = metrics_of([trial["metrics"] for trial in trials], first=data["metric"])
    rows = []
    for trial in trials:
        mark = style("*", "green") if trial["trial"] == data["best"] else ""
        chosen = [figure(value) for value in trial["set"].values()]
        made = [_number(trial["metrics"].get(name)) for name in names]
        rows.append((mark, trial["run"], status(trial["status"]), *chosen, *made))
    head = ("", "run", "status", *trials[0]["set"], *names)
    lines = [table(rows, head, "lll" + "r" * (len(head) - 3))]
    if data["sweep"]:
        lines += ["", f"{count(len(trials), 'trial')} of the sweep {data['sweep']}"]
    if picked := _picked(data):
        lines.append(style(f"  → mlops runs apply {picked}", "cyan"))
    return "\n".join(lines)


def metrics_of(found: Sequence[Mapping[str, Any]], *, first: str | None = None) -> list[str]:
    """Return the names of a few metrics, `first` before the others."""
    every = dict.fromkeys([*([first] if first else []), *(n for each in found for n in each)])
    return [name for name in every if any(name in each for each in found)][:MOST]


def _picked(data: Mapping[str, Any]) -> str | None:
    done = [trial for trial in data["trials"] if trial["status"] == "done"]
    best = [trial for trial in done if trial["trial"] == data["best"]]
    chosen = best or (done if len(done) == 1 else [])
    return str(chosen[0]["run"]) if chosen and chosen[0]["run"] else None


def _number(value: Any) -> str:
    return "-" if value is None else figure(value)
