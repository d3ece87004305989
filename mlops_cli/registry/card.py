"""The card of a version: what people wrote about the model, and the facts that are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_cli.registry.version import Version


def card(version: Version, *, aliases: Sequence[str] = (), words: str | None = None) -> str:
    """Return the card as Markdown: `words` (the card file as of the commit), then facts."""
    payload = version.payload
    written = (words or f"# {version.model}\n\nNobody has written about this model yet.").strip()
    state = f" ({', '.join(aliases)})" if aliases else ""
    lines = [written, "", f"## Version {version.number}{state}", ""]
    facts = [
        ("registered", payload.get("created")),
        ("by", payload.get("actor")),
        ("format", payload.get("format")),
        ("model", payload.get("digest")),
        ("bundle", payload.get("bundle")),
        ("run", payload.get("run")),
        ("commit", version.commit),
    ]
    lines += [f"- {name}: `{value}`" for name, value in facts if value]
    if metrics := payload.get("metrics"):
        lines += ["", "| metric | value |", "|---|---|"]
        lines += [f"| {name} | {_figure(value)} |" for name, value in metrics.items()]
    for title in ("inputs", "outputs"):
        columns = payload.get(title)
        if isinstance(columns, list) and columns:
            lines += ["", f"| {title} | type |", "|---|---|"]
            lines += [f"| {_of(column, 'name')} | {_of(column, 'dtype')} |" for column in columns]
    return "\n".join(lines) + "\n"


def _of(column: Any, name: str) -> str:
    return (
        str(column.get(name, "")) if isinstance(column, dict) else (str(column) * (name == "name"))
    )


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
