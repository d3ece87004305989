"""Words from one role to another, and the end of an event: two records of the ledger."""

from __future__ import annotations

from datetime import datetime

from mlops_cli.errors import StateRefused, UsageError
from mlops_cli.ledger.record import Code, Record, record
from mlops_cli.monitoring.desk import Desk
from mlops_cli.monitoring.event import Event


def feedback(
    desk: Desk,
    text: str,
    *,
    to: str | None,
    about: str | None,
    actor: str,
    time: datetime,
    code: Code,
) -> Record:
    """Return the record that sends `text` to the role `to`, or to whom the step `about` belongs.

    Raises UsageError ("missing-option", "bad-value"), NotFound ("unknown-step").
    """
    if not text.strip():
        raise UsageError(
            "there is nothing to tell", code="bad-value", hint='mlops feedback "…" --to data'
        )
    if to is None and about is None:
        raise UsageError(
            "nobody is named to whom this goes",
            code="missing-option",
            hint=f"--to {next(iter(desk.roles()))}, or --about STEP, which has an owner",
        )
    if to is not None and to not in desk.roles():
        raise UsageError(
            f"there is no role {to!r}",
            code="bad-value",
            hint=f"one of {', '.join(desk.roles())}; project.owners in pipeline.yaml names more",
        )
    step = desk.graph.name(about) if about is not None else ""
    role = to or desk.role(step)
    return record(
        "feedback", time=time, actor=actor, code=code, to=role, about=step, text=text.strip()
    )


def close(event: Event, reason: str, *, actor: str, time: datetime, code: Code) -> Record:
    """Return the record by which a person closes `event`.

    Raises StateRefused ("event-closed"), UsageError ("bad-value").
    """
    if not reason.strip():
        raise UsageError(
            "why is it closed?", code="bad-value", hint='--reason "the feed is mended"'
        )
    if event.closed is not None:
        raise StateRefused(
            f"{event.id[:12]} was closed at {event.closed.time}, by {event.closed.by}",
            code="event-closed",
            hint=f"mlops events show {event.id[:12]}",
        )
    return record(
        "closed",
        time=time,
        actor=actor,
        code=code,
        event=event.id,
        about=event.about,
        reason=reason.strip(),
        parents=[event.record],
    )
