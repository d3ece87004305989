"""What changed between the makings of two versions, on one screen."""

from __future__ import annotations

from typing import Any

from mlops_cli.cli.render.runs import figure, moment
from mlops_cli.cli.render.text import short, shown, style, table

_MOST = 12  # rows of one aspect that are shown


def screen(data: dict[str, Any]) -> str:
    """Return a chapter for each aspect that changed, and a line for those that did not."""
    before, after = data["before"], data["after"]
    lines = [
        style(f"{before['name']} to {after['name']}", "bold")
        + f"  {moment(before['created'])[:10]} to {moment(after['created'])[:10]}"
    ]
    if before["commits"] != after["commits"]:
        lines.append(f"commit  {_commits(before)} to {_commits(after)}")
    for aspect in dict.fromkeys(change["aspect"] for change in data["changes"]):
        found = [change for change in data["changes"] if change["aspect"] == aspect]
        rows = [
            (shown(one["name"]), _value(one["before"]), "→", _value(one["after"]))
            for one in found[:_MOST]
        ]
        lines += ["", style(aspect, "bold"), table(rows, indent="  ")]
        if len(found) > _MOST:
            lines.append(style(f"  … {len(found) - _MOST} more, under --json …", "dim"))
    same = data["same"]
    lines += ["", f"The same: {', '.join(same)}." if same else "Nothing stayed the same."]
    if not data["changes"]:
        lines[-1] = "They were made of the same, in the same way."
    return "\n".join(lines)


def _commits(side: dict[str, Any]) -> str:
    found = [commit[:10] for commit in side["commits"]]
    return ", ".join(found[:3]) + (" …" if len(found) > 3 else "") if found else "none"


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str) and value.startswith("sha256:"):
        return short(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return figure(value)
    words = shown(str(value))
    return words if len(words) <= 40 else words[:39] + "…"
