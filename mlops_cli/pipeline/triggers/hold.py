"""A window in the hands of this machine: claimed, kept alive, given back."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.triggers.claim import Claim, Status, to_text
from mlops_cli.pipeline.triggers.outlook import Due, State
from mlops_cli.pipeline.triggers.restraint import slots
from mlops_cli.pipeline.triggers.settled import settled
from mlops_cli.pipeline.triggers.situation import RENEWALS
from mlops_cli.vcs.claims import Board
from mlops_cli.vcs.note import Change, Changed, Note


def claim_of(due: Due, state: State, *, machine: str, now: datetime, record: str) -> Claim:
    """Return the claim by which `machine` takes `due`; its slots are those of the attempt."""
    lease = duration(state.triggers[due.trigger].lease)
    return Claim(
        due.trigger,
        due.window,
        due.moment,
        machine,
        now,
        now,
        now + lease,
        attempt=due.attempt,
        nonce=secrets.token_hex(8),
        because=due.because,
        seen=due.seen,
        record=record,
    )


def take(board: Board, claim: Claim, due: Due, state: State, *, turn: int = 0) -> Claim | None:
    """Make `claim` on the board, with a slot of each kind, unless somebody was faster.

    Machines that begin to look at slots of different `turn` get less into each other's way.
    """
    notes = board.read()
    now = claim.claimed
    chosen: dict[str, str | None] = {}
    for folder, size in slots(state, claim.trigger):
        names = [f"{folder}/{(turn + number) % size + 1}" for number in range(size)]
        name = next((one for one in names if _free(notes.get(one), state, due, now)), None)
        if name is None:
            return None
        chosen[name] = notes[name].id if name in notes else None
    claim = dataclasses.replace(claim, slots=tuple(chosen))
    text = to_text(claim)
    changes = {claim.name: Change(due.takes.id if due.takes else None, text)}
    changes |= {name: Change(old, text) for name, old in chosen.items()}
    changed = board.change(changes, time=now)
    return dataclasses.replace(claim, id=changed.ids[claim.name]) if changed.done else None


def _free(note: Note | None, state: State, due: Due, now: datetime) -> bool:
    """Return whether a slot is free, or that of a claim which is over or dead."""
    if note is None:
        return True
    if due.takes is not None and note.id == due.takes.id:
        return True
    holders = [one for some in state.claims.values() for one in some if one.id == note.id]
    return not any(
        one.status == "running" and (one.alive(now) or one.id not in state.watched)
        for one in holders
    )


@dataclass(slots=True)
class Hold:
    """A claim that is renewed by a thread until it is let go.

    Where it was lost, or could not be renewed while it lasted, `lost` says why and `stop` was
    called: by then another machine may run the window.
    """

    board: Board
    claim: Claim
    lease: timedelta
    now: Callable[[], datetime]
    stop: Callable[[], None]
    lost: MlopsError | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Hold:
        self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _renew(self) -> None:
        pause = self.lease.total_seconds() / RENEWALS
        while not self._over.wait(pause):
            now = self.now()
            try:
                fresh = dataclasses.replace(self.claim, renewed=now, expires=now + self.lease)
                changed = replace(self.board, self.claim, fresh, time=now)
                if changed.done:
                    self.claim = dataclasses.replace(fresh, id=changed.ids[fresh.name])
                    continue
                self.lost = lost(self.claim, "another machine took it over")
            except MlopsError as problem:
                if now < self.claim.expires:
                    continue  # the remote may answer the next time
                self.lost = lost(self.claim, f"it could not be renewed: {problem.message}")
            self.stop()
            return


def lost(claim: Claim, why: str) -> StateRefused:
    """Return the error of a run whose window is not its own any more."""
    return StateRefused(
        f"the claim {claim.name} was lost while it ran: {why}",
        code="claim-lost",
        hint="whoever took it over finishes it; a longer lease: in the trigger bears more silence",
    )


def replace(board: Board, old: Claim, new: Claim, *, time: datetime) -> Changed:
    """Put `new` where `old` stands, the slots with it."""
    text = to_text(new)
    return board.change({name: Change(old.id, text) for name in (old.name, *old.slots)}, time=time)


def finish(
    board: Board,
    claim: Claim,
    status: Status,
    *,
    now: datetime,
    cpu_seconds: float,
    along: Sequence[str],
    state: State,
) -> Claim:
    """Say what came of a claim, free its slots, send its records and take away claims of old.

    Raises StateRefused ("claim-lost") where it is another's by now.
    """
    spent = round(cpu_seconds, 3)
    ended = dataclasses.replace(claim, status=status, ended=now, cpu_seconds=spent)
    changes = {claim.name: Change(claim.id, to_text(ended))}
    changes |= {name: Change(claim.id, None) for name in claim.slots}
    old, floor = settled(state, claim.trigger, now)
    changes |= {one.name: Change(one.id, None) for one in old}
    if floor is not None:
        stands = dataclasses.replace(floor, floor=True)
        changes[floor.name] = Change(floor.id, to_text(stands))
    changed = board.change(changes, time=now, along=along)
    if not changed.done and changed.in_the_way.isdisjoint({claim.name, *claim.slots}):
        # others tidied up meanwhile, or the ledger there is another: what ended ends all the same
        kept = {name: changes[name] for name in (claim.name, *claim.slots)}
        changed = board.change(kept, time=now)
    if not changed.done:
        raise lost(claim, "another machine took it over")
    return dataclasses.replace(ended, id=changed.ids[claim.name])


def release(board: Board, claim: Claim, *, now: datetime) -> None:
    """Take a claim away as if it had never been made: the next tick finds the window due."""
    board.change({name: Change(claim.id, None) for name in (claim.name, *claim.slots)}, time=now)
