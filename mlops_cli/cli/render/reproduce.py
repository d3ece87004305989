"""A reproduction as people read it: the verdict, then where it differs first, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.cli.render.runs import figure, seconds
from mlops_cli.cli.render.text import count, short, style, table

LOOKS = {"identical": "green", "within tolerance": "yellow", "differs": "red"}


def page(data: Mapping[str, Any]) -> str:
    """Return the verdict and, of each step that is not as it was, what differs."""
    steps = data["steps"]
    same = sum(step["verdict"] == "identical" for step in steps)
    what = f"{count(same, 'step')} of {len(steps)} as recorded"
    at = f"at commit {data['commit'][:12]}, {seconds(data['seconds'])}"
    lines = [f"{style(data['verdict'], LOOKS[data['verdict']])}: {what}, {at}"]
    for step in steps:
        if step["verdict"] != "identical":
            first = " first" if step["step"] == data["first"] else ""
            lines += ["", f"{style(step['step'], 'bold')} {step['verdict']}{first}", *_step(step)]
    if data["frozen"]:
        lines += ["", f"Taken as they are, being frozen: {', '.join(data['frozen'])}"]
    return "\n".join(lines)


def _step(step: Mapping[str, Any]) -> list[str]:
    lines = [f"  because {one['sentence']}" for one in step["because"][:1]]
    lines += [f"      and {one['sentence']}" for one in step["because"][1:]]
    if step["error"]:
        lines.append(style(f"  {step['error']}", "red"))
    rows = [
        (one["path"], short(one["recorded"]), "→", short(one["made"]) if one["made"] else "nothing")
        for one in step["outputs"]
    ]
    rows += [
        (name, _number(pair["recorded"]), "→", _number(pair["made"]))
        for name, pair in step["metrics"].items()
    ]
    return [*lines, table(rows, indent="  ")] if rows else lines


def _number(value: float | None) -> str:
    return "nothing" if value is None else figure(value)
