"""A model that was just trained beside the one in production: a table for people."""

from __future__ import annotations

from typing import Any

from mlops_cli.cli.render import text


def screen(standing: dict[str, Any]) -> str:
    """Return every metric of both models on the same rows; of a slice only the first one."""
    champion = f"{standing['model']}@v{standing['champion']['version']}"
    if standing["why"]:
        return f"Not comparable with {champion} in production: {standing['why']}."
    metrics = standing["metrics"]
    rows = [(name, each["challenger"], each["champion"]) for name, each in metrics.items()]
    first = next(iter(metrics))
    for column, values in standing["slices"].items():
        rows += [
            (
                f"{first}, {column} {each['value']}",
                each["challenger"][first],
                each["champion"][first],
            )
            for each in values
        ]
    shown = [(name, *map(_figure, pair)) for name, *pair in rows]
    return text.table(shown, ("the same rows", "this model", champion), "lrr")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
