"""From records to events: what went wrong opens one, what went well after it closes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import takewhile

from mlops_cli.ledger.record import Record
from mlops_cli.monitoring.event import Closed, Event
from mlops_cli.registry.evidence import fields
from mlops_cli.store.digest import Digest

Told = tuple[Record, str | None]  # and what went wrong: "" nothing, None where it does not tell


def tried(told: Record) -> Told:
    """Return an attempt at a step and what went wrong.

    Of a trial nobody asks more than its own sweep; who interrupts a run knows that they did.
    """
    if told["experiment"] or told["status"] == "killed":
        return told, None
    if told["status"] != "failed":
        return told, ""
    return told, str(fields(told["error"]).get("message") or "it failed")


def checked(told: Record, family: str) -> Told:
    """Return a check and what is important in one family of it; a warning ends nothing."""
    seen = fields(fields(told["families"]).get(family))
    if told["verdict"] == "not-enough-data" or seen.get("severity") == "warning":
        return told, None
    if seen.get("severity") != "important":
        return told, ""
    listed = seen.get("findings")
    found = [fields(one) for one in listed] if isinstance(listed, list) else []
    said = [str(one.get("sentence")) for one in found if one.get("severity") == "important"]
    return told, "; ".join(said[:3]) or f"{family} is important"


def open_one(newest: Iterable[Told], about: str, closings: Mapping[str, Record]) -> list[Event]:
    """Return the event that is still open, if one is; no record is read beyond what it needs."""
    since = takewhile(lambda each: each[1] != "", newest)
    found = episodes(since, about, closings)
    return [event for event in found if event.closed is None]


def episodes(newest: Iterable[Told], about: str, closings: Mapping[str, Record]) -> list[Event]:
    """Return all events that records about one thing tell of, oldest first.

    `newest` are the records, the newest first; `closings` id → record by which a person closed it.
    """
    found: list[Event] = []
    present: Event | None = None
    for each, wrong in reversed(list(newest)):
        time = str(each["time"])
        if present and (ended := closings.get(present.id)) and str(ended["time"]) <= time:
            found.append(_closed(present, ended, str(ended["reason"])))
            present = None
        if wrong and present:
            present = replace(present, what=wrong, last=time, times=present.times + 1)
        elif wrong:
            name = Digest.of(f"{about}\n{each.digest}".encode()).hex
            to = str(each["to"] or "")
            present = Event(name, about, to, None, wrong, str(each.digest), time, time)
        elif wrong == "" and present:
            found.append(_closed(present, each, "it went well"))
            present = None
    if present:
        ended = closings.get(present.id)
        found.append(_closed(present, ended, str(ended["reason"])) if ended else present)
    return found


def _closed(event: Event, by: Record, reason: str) -> Event:
    return replace(event, closed=Closed(str(by["time"]), str(by["actor"]), reason))
