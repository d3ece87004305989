"""How `mlops verify` tells what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_cli.cli.render import text
from mlops_cli.store.care.quarantine import Aside
from mlops_cli.store.care.verify import Finding, Report


def plain(finding: Finding) -> dict[str, Any]:
    """Return a finding as it stands in the JSON document."""
    return {"digest": finding.digest, "paths": list(finding.paths)}


def plain_aside(one: Aside, now: datetime) -> dict[str, Any]:
    """Return something in quarantine as it stands in the JSON document."""
    return {
        "digest": one.digest,
        "bytes": one.bytes,
        "since": one.since.isoformat(),
        "seconds": max(int((now - one.since).total_seconds()), 0),
        "replaced": one.replaced,
    }


def page(report: Report, mended: Sequence[Finding], *, repair: bool, on: str | None) -> str:
    """Return what a person reads of the objects."""
    rows = [
        *_rows("repaired", "green", mended),
        *_rows("damaged", "red", report.damaged),
        *_rows("missing", "red", report.missing),
        *((text.style("wrong", "red"), flaw.name, flaw.why) for flaw in report.flaws),
    ]
    lines = [text.table(rows), ""] if rows else []
    checked = f"Checked {text.count(report.checked, 'object')}"
    if report.level == "bytes":
        checked += f", {text.size(report.bytes)}"
    if on:
        checked += f" on {on}"
    if not report.complete:
        whole = f" of {text.size(report.total)}" if report.level == "bytes" else ""
        checked += f"{whole} until the time was up (--resume goes on)"
    if report.clean:
        right = {
            "bytes": "every byte is what its digest says",
            "sizes": "all are there, as long as they should be",
            "metadata": "all are there by the indexes",
        }
        lines.append(f"{checked}: {right[report.level]}.")
        return "\n".join(lines)
    bad = len(report.damaged) + len(report.missing) + len(report.flaws)
    lines.append(f"{checked}: {bad:,} damaged or missing.")
    if not repair:
        words = f" --on {on}" if on else ""
        lines.append(f"Bring good copies back with: mlops verify{words} --repair")
    elif on:
        lines.append("No good copy was found here: mlops verify --repair, then once more.")
    else:
        lines.append("No good copy was found: push from a clone that has one, then mlops pull.")
    return "\n".join(lines)


def aside(found: Sequence[Aside], now: datetime) -> str:
    """Return a line about the quarantine, none where it is empty."""
    if not found:
        return ""
    replaced = sum(one.replaced for one in found)
    known = f"; of {replaced:,} a good copy is here" if replaced else ""
    return (
        f"\nIn quarantine: {text.count(len(found), 'object')}, "
        f"{text.size(sum(one.bytes for one in found))}, "
        f"the oldest for {days(found[0], now)}{known}."
    )


def days(one: Aside, now: datetime) -> str:
    """Return how long something has been set aside, in days."""
    return text.count(max((now - one.since).days, 0), "day")


def history(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lines about records and tags, none where there are none."""
    counts = [
        text.count(parts[part]["checked"], one)
        for part, one in (("records", "record"), ("tags", "tag"))
        if parts.get(part, {}).get("checked")
    ]
    wrong = [f"{name}: {why}" for part in parts.values() for name, why in part["damaged"].items()]
    said = f"Checked {' and '.join(counts)}" if counts else ""
    if wrong:
        return "\n".join(["", said or "History:", *wrong, "git fetch sound ones from a clone."])
    return f"\n{said}: each is what its name says." if said else ""


def _rows(word: str, look: str, findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    return [
        (text.style(word, look), finding.digest, ", ".join(finding.paths) or "(no path needs it)")
        for finding in findings
    ]
