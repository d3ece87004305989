"""Update: imports are brought to what their source has now; their pins move with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mlops_cli.errors import NotFound, OutsideWorld, StateRefused
from mlops_cli.store.digest import Digest
from mlops_cli.store.sources.download import look
from mlops_cli.store.sources.source import spell
from mlops_cli.workspace import imports
from mlops_cli.workspace.imports import Hand
from mlops_cli.workspace.pin import GitPin, UrlPin, pin_of, plain
from mlops_cli.workspace.reach import Reach
from mlops_cli.workspace.state import state
from mlops_cli.workspace.taking import Taken
from mlops_cli.workspace.tracked import Tracked

State = Literal["current", "fixed", "moved", "changed", "unknown"]


@dataclass(frozen=True, slots=True)
class Change:
    """How one import stands to its source.

    `state`: "current" nothing is new; "fixed" a commit was asked for; "moved" the source is new,
    the bytes are the same; "changed" both are; "unknown" only fetching it would tell.
    """

    tracked: Tracked
    state: State
    old: GitPin | UrlPin
    new: str
    digest: Digest | None  # what the source has, where that is known without fetching


def imported(tracked: Sequence[Tracked], *, named: bool) -> list[Tracked]:
    """Return the imports among `tracked`; `named` says that a person asked for each.

    Raises NotFound ("not-imported").
    """
    found = [one for one in tracked if pin_of(one) is not None]
    if named and len(found) < len(tracked):
        other = next(one for one in tracked if pin_of(one) is None)
        raise NotFound(
            f"{other.path} was not imported from anywhere",
            code="not-imported",
            hint="mlops add keeps what changed here; mlops import brings data from elsewhere",
            details={"path": other.path},
        )
    return found


def plan_update(
    reach: Reach, tracked: Sequence[Tracked], *, revision: str | None = None
) -> list[Change]:
    """Ask the source of each import what it has now; fetch no more than it takes to know.

    `revision` is what git imports shall follow from now on. Raises OutsideWorld where a source
    cannot be asked: an old answer is no update.
    """
    return [_plan(reach, one, revision) for one in tracked]


def carry_out(
    reach: Reach, hand: Hand, changes: Sequence[Change], *, revision: str | None
) -> list[Change]:
    """Fetch what changed, write the pointers, then the workspace; return what came of each.

    Raises StateRefused ("unsaved-bytes") before anything is fetched.
    """
    due = [change for change in changes if change.state in ("moved", "changed", "unknown")]
    _refuse_modified(hand, [change.tracked for change in due])
    new = []
    done = []
    for change in changes:
        if change not in due:
            done.append(change)
            continue
        taken, pin = _take(reach, change, revision)
        one = change.tracked
        pointer = imports.pointer(one.path, taken, pin, push=one.push)
        same = taken.digest == one.digest
        # what is not in the workspace, and has not changed, stays out of it
        here = (hand.root / one.path).exists()
        new.append((replace(pointer, remote=one.remote), here or not same))
        state: State = "moved" if same else "changed"
        if same and plain(pin) == plain(change.old):
            state = "current"
        done.append(replace(change, state=state, new=str(pin), digest=taken.digest))
    imports.place(hand, new)
    return done


def _plan(reach: Reach, one: Tracked, revision: str | None) -> Change:
    pin = pin_of(one)
    if isinstance(pin, GitPin):
        if pin.fixed and revision is None:
            return Change(one, "fixed", pin, str(pin), pin.digest)
        taken, fresh, stale = reach.git(pin.url, pin.path, revision or pin.rev, data=False)
        if stale:
            raise OutsideWorld(
                f"{one.path} cannot be updated: {stale}",
                code="repository-unreachable",
                hint=f"git ls-remote {pin.url} must answer",
                details={"path": one.path, "url": pin.url},
            )
        same = taken.digest == one.digest
        still = same and fresh.commit == pin.commit and revision in (None, pin.rev)
        state: State = "current" if still else "moved" if same else "changed"
        return Change(one, state, pin, str(fresh), taken.digest)
    if pin is None:
        raise AssertionError(one)
    now = look(spell(pin.url, start=reach.start), pin.options)
    match now.same(pin.version):
        case True:
            return Change(one, "current", pin, str(now), pin.digest)
        case False:
            return Change(one, "changed", pin, str(now), None)
        case None:
            return Change(one, "unknown", pin, str(now), None)


def _take(reach: Reach, change: Change, revision: str | None) -> tuple[Taken, GitPin | UrlPin]:
    pin = change.old
    if isinstance(pin, UrlPin):
        return reach.url(pin.url, pin.options)
    wanted = revision or pin.rev
    # what the plan saw, though the branch may have moved on since
    taken, fresh, _ = reach.git(pin.url, pin.path, change.new, data=change.state != "moved")
    return taken, replace(fresh, rev=wanted)


def _refuse_modified(hand: Hand, tracked: Sequence[Tracked]) -> None:
    rows = state(hand.root, tracked, cache=hand.cache, stats=hand.stats, progress=hand.progress)
    modified = [row.tracked.path for row in rows if row.state == "modified"]
    if modified:
        more = f" (and {len(modified) - 1} more)" if modified[1:] else ""
        raise StateRefused(
            f"{modified[0]} was changed here{more}, and an update would lose that",
            code="unsaved-bytes",
            hint=f"mlops add {modified[0]} makes it your own, mlops checkout --force "
            f"{modified[0]} gives it up",
            details={"paths": modified[:50], "count": len(modified)},
        )
