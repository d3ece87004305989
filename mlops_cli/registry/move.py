"""An alias comes to mean another version, or none: one further event, won by exactly one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import StateRefused
from mlops_cli.ledger.record import plain, timestamp
from mlops_cli.registry import alias as alias_tags
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.create import contended, refresh, send_ledger
from mlops_cli.registry.gate import Verdict, judge
from mlops_cli.registry.version import Version, check_name
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import tagging
from mlops_cli.vcs.tags import HERE

if TYPE_CHECKING:
    from mlops_cli.registry.reader import Reader


@dataclass(frozen=True, slots=True)
class Wish:
    """What an alias shall mean: a version by number, or None, which retires it.

    `action` is promote, set, rollback or retire; `parents` are records that led to it;
    `policy_from` is the file and the commit of a protected branch that its policy was read from;
    `again` is an event whose verdict stands for this one, too: a rollback asks no gate.
    """

    model: str
    alias: str
    version: int | None
    actor: str
    reason: str
    time: datetime
    action: str | None = None
    parents: tuple[str, ...] = ()
    policy_from: Mapping[str, Any] | None = None
    again: AliasEvent | None = None


def move(
    registry: Reader,
    wish: Wish,
    *,
    policy: Mapping[str, Any],
    evidence: Mapping[str, Any],
    expected: int | None = None,
) -> AliasEvent:
    """Make the alias mean what is wished by one further event, and return it.

    The event keeps the digest of the policy, every rule with its evidence, and the digest of the
    event before. Already there: that event is returned. `expected` is the number of the event the
    evidence was gathered against (0: none); without it, the present one.
    Raises StateRefused ("gate-closed", "alias-moved" naming who was first and when), NotFound,
    IntegrityError ("alias-chain-broken", …), OutsideWorld ("registry-unreachable").
    """
    check_name(wish.alias, what="alias")
    refresh(registry, f"{wish.model}/")
    target = registry.version(wish.model, wish.version) if wish.version is not None else None
    former = registry.alias(wish.model, wish.alias)
    if former is not None and former.version == wish.version:
        return former
    at = former.number if former else 0
    if expected is not None and former is not None and at != expected:
        raise moved(former)
    verdict = judge(policy, evidence)
    if not verdict.passed:
        raise _closed(wish, verdict)
    payload = _payload(wish, former, target, policy, evidence, verdict)
    means = f"is v{target.number}" if target else "is retired"
    subject = f"{wish.model}@{wish.alias} {means}"
    name = f"mlops/{wish.model}/@{wish.alias}/{at + 1}"
    commit = target.commit if target else "HEAD"
    git = registry.git
    made = tagging.make(git, name, payload, subject=subject, time=wish.time, target=commit)
    send_ledger(registry)
    # the version goes along, so that no event is there without what it names
    along = (HERE + target.tag,) if target else ()
    won = tagging.place(git, name, made, remote=registry.remote, along=along)
    if not won:
        refresh(registry, f"{wish.model}/@{wish.alias}/")
    events = registry.events(wish.model, wish.alias)
    present = next((event for event in events if event.number == at + 1), None)
    if present is None:
        raise contended(name)
    if present.tag_id != made:
        raise moved(present)
    return present


def _payload(
    wish: Wish,
    former: AliasEvent | None,
    target: Version | None,
    policy: Mapping[str, Any],
    evidence: Mapping[str, Any],
    verdict: Verdict,
) -> dict[str, Any]:
    filled: dict[str, Any] = plain(
        {
            "schema": alias_tags.SCHEMA,
            "model": wish.model,
            "alias": wish.alias,
            "event": former.number + 1 if former else 1,
            "action": wish.action or ("promote" if target else "retire"),
            "version": wish.version,
            "digest": target.digest if target else None,
            "payload": target.payload_digest if target else None,
            "former": former.version if former else None,
            "previous": former.digest if former else None,
            "policy": Digest.of(canonical_json(plain(policy))),
            "policy_from": wish.policy_from,
            "rules": [rule.plain() for rule in verdict.rules],
            "approvals": evidence.get("approvals") or [],
            "parents": list(wish.parents),
            "actor": wish.actor,
            "reason": wish.reason,
            "time": timestamp(wish.time),
        }
    )
    if wish.again is not None:
        kept = ("policy", "policy_from", "rules", "approvals")
        filled |= {name: wish.again.payload.get(name) for name in kept}
    return filled


def moved(winner: AliasEvent) -> StateRefused:
    """Return the error for who came second, which names who was first and when."""
    who, when = winner.payload.get("actor"), winner.payload.get("time")
    means = f"moved to v{winner.version}" if winner.version else "retired"
    return StateRefused(
        f"{winner.name} was {means} meanwhile, by {who} at {when}",
        code="alias-moved",
        hint="gather the evidence against the new one: run the same command again",
        details={
            "tag": winner.tag,
            "version": winner.version,
            "digest": winner.digest,
            "actor": who,
            "time": when,
        },
    )


def _closed(wish: Wish, verdict: Verdict) -> StateRefused:
    closed = [rule for rule in verdict.rules if not rule.passed]
    return StateRefused(
        f"{wish.model}@v{wish.version} may not become {wish.alias}: "
        + "; ".join(f"{rule.name} ({rule.why})" for rule in closed),
        code="gate-closed",
        hint=f"mlops models show {wish.model}@v{wish.version}",
        details=verdict.plain(),
    )
