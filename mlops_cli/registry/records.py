"""What the ledger keeps of a tag: a function of the tag alone, so that it can be made up for."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.append import Ledger
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import Record, record
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.alias import TAG as EVENT
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.create import send_ledger
from mlops_cli.registry.holdings import understood
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version, check_name
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git, Identity

_BACK = 8  # so many tags of a name are looked at: a process that died was one of the last


def of(one: Version | AliasEvent) -> Record:
    """Return the record of a version or an event; everybody makes the same."""
    payload = one.payload
    if isinstance(one, Version):
        return record(
            "register",
            time=_moment(payload.get("created")),
            actor=str(payload.get("actor")),
            run=one.run,
            model=one.model,
            version=one.number,
            digest=one.digest,
            bundle=payload.get("bundle"),
            evaluated=payload.get("evaluated"),
            metrics=payload.get("metrics") or {},
            tag=one.tag,
            tag_object=one.tag_id,
        )
    return record(
        "promotion",
        time=_moment(payload["time"]),
        actor=str(payload.get("actor")),
        parents=payload.get("parents") or (),
        model=one.model,
        alias=one.alias,
        event=one.number,
        action=one.action,
        version=one.version,
        digest=payload.get("digest"),
        former=payload.get("former"),
        gates=payload.get("rules") or [],
        reason=payload.get("reason"),
        tag=one.tag,
        tag_object=one.tag_id,
    )


def _moment(said: str | None) -> datetime:
    """Return the time that a tag says; UTC where it says no zone, so that all read the same."""
    found = datetime.fromisoformat(said or "1970-01-01T00:00:00+00:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def settle(
    registry: Registry, ledger: Ledger, model: str, *, me: Identity | None = None
) -> list[str]:
    """Append the records of the last tags of `model` that were made by whoever asks and have
    none, the newest or one whose process died in between; return their digests.

    The ledger is sent to the remote of the registry. Raises OutsideWorld, StateRefused.
    """
    git = registry.git
    found = _last(git, model)
    me = me or git.identity()
    lacking = []
    with open_index(git) as index:
        for tag in tags.read(git, {name: oid for name, oid in found.items() if oid}):
            try:
                one = understood(tag)
            except IntegrityError:
                continue  # verify names it; whoever asks for it is refused
            if one is not None and one.payload.get("actor") == str(me) and not recorded(index, one):
                lacking.append(of(one))
    digests = [str(digest) for digest in ledger.append(*lacking, author=me)] if lacking else []
    send_ledger(registry)
    return digests


def recorded(index: Index, one: Version | AliasEvent) -> bool:
    """Tell whether a record of the ledger is that of this version or event."""
    if isinstance(one, Version):
        return any(index.newest("register", limit=1, model=one.model, number=one.number))
    return any(
        (each["alias"], each["event"]) == (one.alias, one.number)
        for each in index.newest("promotion", model=one.model, number=one.version)
    )


def later(git: Git, model: str, alias: str, number: int) -> int | None:
    """Return the last event of the alias that the ledger tells of, None where it is `number` or
    one before: else its tag was deleted, or has not come."""
    with open_index(git) as index:
        told = [
            each["event"]
            for each in index.newest("promotion", model=model)
            if each["alias"] == alias and isinstance(each["event"], int)
        ]
    last = max(told, default=0)
    return last if last > number else None


def _last(git: Git, model: str) -> dict[str, str]:
    """Return name → id of the last versions, and of the last events of each alias."""
    grouped: dict[str, list[tuple[int, str, str]]] = {}
    for name, oid in tags.names(git, f"mlops/{check_name(model)}/").items():
        if match := version_tags.TAG.fullmatch(name):
            grouped.setdefault("", []).append((int(match["number"]), name, oid))
        elif match := EVENT.fullmatch(name):
            grouped.setdefault(match["alias"], []).append((int(match["event"]), name, oid))
    last = (sorted(rows)[-_BACK:] for rows in grouped.values())
    return {name: oid for rows in last for _, name, oid in rows}
