"""`mlops models diff`: in what two versions of a model differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError

if TYPE_CHECKING:
    from mlops_cli.registry.registry import Registry

Old = Annotated[
    str,
    typer.Argument(
        help="A version: delay@v3; v3 where there is one model.", autocompletion=known.models
    ),
]
New = Annotated[
    str,
    typer.Argument(
        help="Another of the same model: v7, production, sha256:1a2b.", autocompletion=known.models
    ),
]


def command(old: Old, new: New) -> int:
    """Show in what two versions differ: data, code, params, environment, metrics, tensors.

    Data, code, params and environment are told by the records of the runs that made them.
    """
    from dataclasses import asdict

    from mlops_cli.ledger.index import open_index
    from mlops_cli.registry.difference import differences
    from mlops_cli.registry.origin import origin
    from mlops_cli.registry.registry import Registry

    ctx = context.current()
    project = ctx.project()
    registry = Registry(project.git)
    first = registry.resolve(_whole(registry, old, None))
    second = registry.resolve(_whole(registry, new, first.model))
    with open_index(project.git) as index:
        was, now = origin(index, first), origin(index, second)
    found, untold = differences(first, second, was=was, now=now)
    if untold:
        ctx.warn(
            f"the ledger here has no run of {(second if was.runs else first).name}, so "
            f"{', '.join(untold)} cannot be told; mlops pull brings the ledger"
        )
    data = {
        "old": first.name,
        "new": second.name,
        "same": not found and not untold,
        "untold": untold,
        "changes": [asdict(change) for change in found],
    }
    return ctx.show(data, "mlops.models-diff/1", lambda: _page(data))


def _whole(registry: Registry, name: str, model: str | None) -> str:
    """Return the whole name of what may be only "v3". Raises UsageError ("model-needed")."""
    if "@" in name:
        return name
    if model is not None:
        return f"{model}@{name}"
    known = registry.models()
    if name in known:
        return name
    if len(known) == 1:
        return f"{known[0]}@{name}"
    raise UsageError(
        f"of which model is {name!r} a version?",
        code="model-needed",
        hint=f"models: {', '.join(known) or 'none yet'}; write MODEL@{name}",
    )


def _page(data: dict[str, Any]) -> str:
    from mlops_cli.registry.difference import SECTIONS

    lines = [text.style(f"{data['old']} → {data['new']}", "bold")]
    for section in SECTIONS:
        rows = [
            (text.shown(each["name"]), _value(each["old"]), "→", _value(each["new"]))
            for each in data["changes"]
            if each["section"] == section
        ]
        if rows:
            lines += [text.style(section, "bold"), text.table(rows, indent="  ")]
    if not data["changes"]:
        lines.append("Nothing differs." if data["same"] else "Nothing that can be told differs.")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return text.shown(" ".join(str(part) for part in value.values()))
    if isinstance(value, str) and value.startswith("sha256:"):
        return text.short(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", value):
        return value[:12]  # a commit
    return text.shown(str(value))[:40]
