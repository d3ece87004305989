"""Checks and replays as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render import text

COLORS = {
    "quiet": "green",
    "warning": "yellow",
    "alarm": "red",
    "retrain": "cyan",
    "not-enough-data": "dim",
}


def check(data: Mapping[str, Any]) -> str:
    """Return one check: the verdict, what is not as in training, the decision and its reasons."""
    window = data["window"]
    head = (
        f"{text.style(data['monitor'], 'bold')}  "
        f"{text.style(data['verdict'], COLORS[data['verdict']])}  "
        f"{window['start'][:16]} to {window['end'][:16]}"
    )
    model = f"version {data['version']}" if data["version"] else "no model"
    lines = [head, f"  {data['rows']:,} rows by {model}, {data['labelled']:,} with a label"]
    for family, part in data["families"].items():
        told = [item for item in part["findings"] if item["severity"] != "ok"]
        lines.append(f"  {family}: {part['severity']}")
        lines += [f"    {item['severity']:<9}  {item['sentence']}" for item in told]
    decision = data["decision"]
    lines.append(f"  decision: {decision['action']} ({'; '.join(decision['because'])})")
    if decision["action"] == "retrain" and not data.get("retrained"):
        lines.append(f"    → mlops monitor check {data['monitor']} --act")
    if data.get("retrained"):
        lines += [f"    {sentence}" for sentence in outcome(data["retrained"])]
    return "\n".join(lines)


def outcome(retrained: Mapping[str, Any]) -> list[str]:
    """Return what came of a retraining, a sentence an alias."""
    sentences = []
    for promotion in retrained["promotions"]:
        closed = [rule for rule in promotion["rules"] if not rule["passed"]]
        name = f"v{promotion['version']}"
        if promotion["moved"]:
            sentences.append(f"{name} is {promotion['alias']} now.")
        elif closed:
            why = "; ".join(f"{rule['name']}: {rule['why']}" for rule in closed)
            sentences.append(f"{name} is not {promotion['alias']} ({why}).")
    return sentences


def periods(rows: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Return a replay as a table, a line a period."""
    heads = ("period", "rows", "label", f"frozen {metric}", "served", "model", "verdict", "then")
    body = [
        (
            row["period"],
            f"{row['rows']:,}",
            figure(row["label_mean"]),
            figure(row["frozen"]),
            figure(row["served"]),
            f"v{row['version']}",
            text.style(row["verdict"], COLORS[row["verdict"]]),
            then(row),
        )
        for row in rows
    ]
    return text.table(body, heads, "lrrrrlll")


def then(row: Mapping[str, Any]) -> str:
    """Return in a few words what followed from a period's check."""
    if row["retrained"] is None:
        return ""
    version = f"v{row['retrained']['version']}"
    moved = [item["alias"] for item in row["retrained"]["promotions"] if item["moved"]]
    return f"{version} {'promoted' if 'production' in moved else 'not better'}"


def figure(value: float | None) -> str:
    """Return a metric with three digits."""
    return "-" if value is None else f"{value:.3f}"
