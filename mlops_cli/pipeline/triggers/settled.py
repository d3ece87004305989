"""Claims that no window will be compared with again: taken away, so that a board stays short."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlops_cli.pipeline.triggers.claim import Claim
from mlops_cli.pipeline.triggers.outlook import State
from mlops_cli.pipeline.triggers.wanted import base
from mlops_cli.pipeline.words.cron import occurrences

COUNT = 20  # of each trigger that stay in any case
AGE = timedelta(days=2)  # a machine that slept between its look and its claim must find them


def settled(state: State, trigger: str, now: datetime) -> tuple[list[Claim], Claim | None]:
    """Return the claims of `trigger` that may go, and the one that then stands for them.

    Of a schedule that catches up all windows only those go before which none is missing.
    """
    claims = state.claims.get(trigger, ())
    old = [one for one in claims[:-COUNT] if not one.alive(now) and now - one.newest() > AGE]
    definition, look = state.triggers[trigger], state.look(trigger)
    if definition.until:  # its tries are counted
        return [one for one in old if look.met is not None and one.claimed <= look.met], None
    if not old or definition.cron is None or definition.catch_up != "all" or look.since is None:
        return old, None
    start, among = base(look, claims), {one.moment: one for one in old}
    floor: Claim | None = None
    for moment in occurrences(definition.cron, definition.timezone, start, now):
        if moment not in among or among[moment].status == "running":
            break
        floor = among[moment]
    if floor is None:
        return [], None
    return [one for one in old if one.moment < floor.moment], floor
