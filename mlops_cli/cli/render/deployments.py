"""Screens of `mlops deploy`."""

from __future__ import annotations

from typing import Any

from mlops_cli.cli.render import text
from mlops_cli.cli.render.runs import moment
from mlops_cli.serving.deploy import Deployed
from mlops_cli.serving.plan import Plan

_COLORS = {"running": "green", "stopped": "dim", "died": "red"}


def done(deployed: Deployed) -> str:
    """Return what was done, reason by reason, and what is served now."""
    champion = deployed.plan.environment.champion
    lines = [change.sentence for change in deployed.plan.changes] + list(deployed.plan.notes)
    word = "already serves" if deployed.plan.action == "none" else "serves"
    lines.append(
        f"{text.style(deployed.plan.environment.name, 'bold')} {word} {champion.label} "
        f"({text.short(champion.digest)}) at {deployed.running.url}"
    )
    return "\n".join(lines)


def plan(made: Plan) -> str:
    """Return what would be done."""
    if not made.changes and made.action == "none":
        return f"Nothing to do: {made.environment.name} serves {made.environment.champion.label}."
    return "\n".join([*(change.sentence for change in made.changes), *made.notes])


def status(found: list[dict[str, Any]]) -> str:
    """Return a line for each environment and variant, and how to mend what is not right."""
    if not found:
        return "Nothing is deployed yet."
    rows: list[tuple[object, ...]] = []
    notes = []
    for item in found:
        state = text.style(item["state"], _COLORS[item["state"]])
        rows.append(
            (item["environment"], state, f"{item['model']} v{item['version']}",
             item["url"] if item["state"] == "running" else None,
             moment(item["since"]), f"{item['requests']:,}")
        )  # fmt: skip
        rows += [
            ("", c["mode"], f"{c['model']} v{c['version']}", "", "", "")
            for c in item["challengers"]
        ]
        name = item["environment"]
        if item["state"] == "died":
            notes.append(f"The server of {name} ended on its own: mlops deploy logs {name}")
        elif item["state"] == "running" and item["served_version"] is None:
            notes.append(f"The server of {name} does not answer: mlops deploy logs {name}")
        elif item["state"] == "running" and not item["as_desired"]:
            notes.append(
                f"{name} answers with v{item['served_version']}, git says v{item['version']}: "
                f"mlops deploy apply {name}"
            )
    heads = ("name", "state", "model", "url", "since", "requests")
    return "\n".join([text.table(rows, heads, "lllllr"), *notes])
