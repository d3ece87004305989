"""How `mlops verify NAME` tells what it found: each link with its state, then what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render import text

_LOOKS = {"ok": "green", "absent": "dim"}


def page(data: Mapping[str, Any]) -> str:
    """Return what a person reads of links: each with its state, then what is wrong."""
    found: Sequence[Mapping[str, Any]] = data["links"]
    rows = []
    for link in found:
        state = link["state"]
        who = f"signed by {link['signer']}" if link["signer"] else _name(link["digest"])
        said = text.shown(link["label"]) if link["label"] != link["digest"] else ""
        look = _LOOKS.get(state, "red")
        rows.append((text.style(state, look), link["kind"], said, text.shown(who)))
    told = [text.table(rows), ""]
    told += [
        f"{link['kind']} {text.shown(link['label'])}: {text.shown(link['wrong'])}"
        for link in found
        if link["wrong"]
    ]
    whole = sum(link["state"] == "ok" for link in found)
    if data["clean"]:
        told.append(f"Confirmed {text.count(whole, 'link')}: each is what its digest says.")
    return "\n".join(told)


def _name(digest: str | None) -> str:
    return digest.partition(":")[2][:12] if digest else ""  # whole under --json
