"""The state that a tick looks at: read from pipeline.yaml, git, the board of claims, the ledger."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.encode import canonical_json
from mlops_cli.fsio import write_atomic
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record, timestamp
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.reading.build import FILE
from mlops_cli.pipeline.reading.load import Loaded
from mlops_cli.pipeline.triggers.claim import Claim, from_text
from mlops_cli.pipeline.triggers.looks import Rows, look
from mlops_cli.pipeline.triggers.outlook import Spent, State
from mlops_cli.vcs.blame import Origin, origins
from mlops_cli.vcs.claims import Board

if TYPE_CHECKING:
    from mlops_cli.pipeline.graph.graph import Graph
    from mlops_cli.pipeline.planning.parts import RunParts

WATCH = ".mlops/watch.json"  # claims that run, and when this machine first saw them as they are
RENEWALS = 3  # in the time of a lease


def situation(
    parts: RunParts, loaded: Loaded, graph: Graph, board: Board, index: Index, *, rows: Rows
) -> State:
    """Return the state as this clone knows it; `rows` counts the rows of a source."""
    pipeline = loaded.pipeline
    lines = {name: _lines(loaded, name) for name in pipeline.triggers}
    known = origins(parts.git, FILE, set().union(*lines.values()))
    since = {name: _newest_of(known, some) for name, some in lines.items()}
    claims = read_claims(board)
    return State(
        pipeline.triggers,
        pipeline.limits,
        {
            name: look(parts, pipeline, graph, board, index, trigger, since[name], rows)
            for name, trigger in pipeline.triggers.items()
        },
        spent=tuple(_spent(index)),
        newest=_newest(claims, index),
    ).with_claims(claims)


def read_claims(board: Board) -> dict[str, tuple[Claim, ...]]:
    """Return the claims of each trigger in the order in which they were made."""
    found: dict[str, list[Claim]] = {}
    for name, note in board.read().items():
        if not name.startswith("_/"):  # where those that run hold their slots
            claim = from_text(note.text, name=name, id=note.id, remedy=board.remedy(name))
            found.setdefault(claim.trigger, []).append(claim)
    return {
        name: tuple(sorted(claims, key=lambda one: (one.claimed, one.moment)))
        for name, claims in found.items()
    }


def watch(state: State, root: Path, now: datetime, *, write: bool) -> State:
    """Return the state with what this machine watched: claims that it saw unrenewed for a third
    of their lease. Only its own clock is asked for that, so a wrong one takes over no live run."""
    running = {
        str(claim.id): (name, claim)
        for name, claims in state.claims.items()
        for claim in claims
        if claim.status == "running"
    }
    former = _seen(root)
    seen = {id: former.get(id, timestamp(now)) for id in running}
    if write and seen != former:
        write_atomic(root / WATCH, canonical_json(seen), durable=False)
    old = {
        id
        for id, first in seen.items()
        if now - datetime.fromisoformat(first) >= renewal(state.triggers.get(running[id][0]))
    }
    return dataclasses.replace(state, watched=frozenset(old))


def renewal(trigger: Trigger | None) -> timedelta:
    """Return how often the claim of a run is renewed."""
    return duration((trigger or Trigger(run="")).lease) / RENEWALS


def _seen(root: Path) -> dict[str, str]:
    import json

    try:
        told = json.loads((root / WATCH).read_bytes())
        return {str(id): str(first) for id, first in told.items()}
    except (OSError, ValueError, AttributeError):
        return {}  # never written, or cut short: the watch begins anew


def _lines(loaded: Loaded, name: str) -> set[int]:
    """Return the lines that make a schedule what it is."""
    words = ("cron", "timezone", "catch_up")
    return {loaded.place("triggers", name, word).line for word in words}


def _newest_of(known: Mapping[int, Origin], lines: set[int]) -> Origin | None:
    """Return where the last change of `lines` comes from; None while one is not committed."""
    found = [known[line] for line in lines if line in known]
    return max(found, key=lambda one: one.time) if len(found) == len(lines) else None


def _newest(claims: Mapping[str, Iterable[Claim]], index: Index) -> tuple[datetime, str] | None:
    told = [
        (claim.newest(), f"the claim {claim.name} of {claim.machine}")
        for some in claims.values()
        for claim in some
    ]
    told += [
        (_time(one), f"the record {one.digest} in the ledger") for one in index.newest(limit=1)
    ]
    return max(told, default=None)


def _spent(index: Index) -> Iterable[Spent]:
    for record in index.newest("claim"):
        if record["outcome"] in ("done", "failed"):
            seconds = record["cpu_seconds"]
            yield Spent(
                str(record["trigger"]),
                str(record["window"]),
                int(record["attempt"] or 1),
                datetime.fromisoformat(str(record["claimed"])),
                float(seconds) if isinstance(seconds, int | float) else 0.0,
                "failed" if record["outcome"] == "failed" else "done",
            )


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(str(record["time"]))
