"""Models, versions and aliases as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.runs import figures, moment, person
from mlops_cli.cli.render.text import short, shown, style, table


def listing(models: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of models with their newest version and their aliases."""
    if not models:
        return "No model is registered yet. Try: mlops register"
    rows = []
    for model in models:
        aliases = ", ".join(
            f"{alias} v{event['version']}" if event["version"] is not None else f"{alias} retired"
            for alias, event in model["aliases"].items()
        )
        newest = model["newest"]
        rows.append(
            (
                model["name"],
                f"v{newest['version']}" if newest else None,
                moment(newest["created"]) if newest else None,
                aliases or None,
                figures(newest["metrics"], 2) if newest else None,
            )
        )
    return table(rows, ("model", "newest", "registered", "aliases", "metrics"))


def version(data: Mapping[str, Any]) -> str:
    """Return one version with all that its tag says."""
    aliases = ", ".join(data["aliases"])
    head = style(data["name"], "bold") + (f"  {style(aliases, 'green')}" if aliases else "")
    payload = data["payload"]
    rows = [
        ("registered", f"{moment(data['created'])} by {shown(person(payload.get('actor')))}"),
        ("format", _format(payload)),
        ("metrics", figures(data["metrics"]) or None),
        ("inputs", _columns(payload.get("inputs"))),
        ("outputs", _columns(payload.get("outputs"))),
        ("model", data["digest"]),
        ("bundle", data["bundle"]),
        ("run", data["run"]),
        ("tag", data["tag"]),
        ("commit", data["commit"]),
    ]
    others = len(data["versions"]) - 1
    foot = f"\n\n{others} more: mlops models history {data['model']}" if others else ""
    return f"{head}\n{table(rows, indent='  ')}{foot}"


def history(events: Sequence[Mapping[str, Any]]) -> str:
    """Return registrations and moves in order, each with its reason and its gates."""
    lines = []
    for event in events:
        lines.append(
            f"{moment(event['time'])}  {_what(event)}  {style(short(event['digest']), 'dim')}"
        )
        if event["what"] != "registered":
            lines.append(shown(f"  by {person(event['actor'])}: {event['reason']}"))
        for rule in event["rules"]:
            mark = style("ok", "green") if rule["passed"] else style("no", "red")
            lines.append(f"  {mark}  " + shown(f"{rule['name']}: {rule['why']}"))
    return "\n".join(lines)


def _what(event: Mapping[str, Any]) -> str:
    if event["what"] == "registered":
        return f"v{event['version']} registered"
    if event["what"] == "retired":
        return style(f"{event['alias']} retired", "bold")
    how = "" if event["action"] == "promote" else f" ({event['action']})"
    return style(f"{event['alias']} → v{event['version']}", "bold") + how


def _format(payload: Mapping[str, Any]) -> str:
    """Return the format with what the file says of its operators: "onnx, opset ai.onnx 20"."""
    file = payload.get("file")
    opset = file.get("opset") if isinstance(file, Mapping) else None
    named = opset.items() if isinstance(opset, Mapping) else ()
    told = [str(payload.get("format"))]
    told += (
        [f"opset {', '.join(f'{domain} {number}' for domain, number in named)}"] if named else []
    )
    return shown(", ".join(told))


def _columns(columns: Any) -> str | None:
    if not isinstance(columns, list):
        return None
    names = [str(c.get("name")) if isinstance(c, Mapping) else str(c) for c in columns]
    return f"{len(names)}: " + shown(", ".join(names[:4])) + (", …" if len(names) > 4 else "")
