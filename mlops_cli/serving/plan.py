"""What a deployment would change and why; pure, so that it can be shown before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.model.serving import Deployment
from mlops_cli.serving.desired import Desired
from mlops_cli.serving.environment import KEPT, Challenger, Environment, Held, Pinned
from mlops_cli.serving.recipe import Recipe
from mlops_cli.serving.target import Running

Action = Literal["none", "start", "switch", "restart"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is and what shall be."""

    what: str  # server | champion | challenger | target | log | limits | features
    sentence: str

    def to_plain(self) -> dict[str, Any]:
        return {"what": self.what, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Plan:
    """The state that shall be, how to get there, and every reason."""

    environment: Environment
    former: Environment | None
    action: Action
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def switches_champion(self) -> bool:
        former = self.former
        return former is None or former.champion.digest != self.environment.champion.digest

    @property
    def joining(self) -> tuple[Pinned, ...]:
        """The challengers that were none before."""
        before = self.former.challengers if self.former else ()
        known = {(item.pinned.name, item.pinned.digest) for item in before}
        wanted = (item.pinned for item in self.environment.challengers)
        return tuple(each for each in wanted if (each.name, each.digest) not in known)

    def to_plain(self) -> dict[str, Any]:
        champion, former = self.environment.champion, self.former
        return {
            "environment": self.environment.name,
            "action": self.action,
            "model": champion.model,
            "version": champion.version,
            "digest": champion.digest,
            "former": former.champion.version if former else None,
            "changes": [change.to_plain() for change in self.changes],
            "notes": list(self.notes),
        }


def plan(
    name: str,
    deployment: Deployment,
    *,
    versions: Mapping[str, Pinned | None],
    former: Environment | None,
    running: Running,
    now: str,
    features: Recipe | None = None,
    force: bool = False,
) -> Plan:
    """Return how to come from `former` to what `deployment` asks for.

    `versions` gives what each name means now, None for an alias without a version.
    Raises StateRefused ("rolled-back") for a champion that was rolled back, unless `force`.
    """
    champion = versions[deployment.model]
    assert champion is not None
    held = former.held if former else None
    if held is not None and held.digest == champion.digest:
        if not force:
            raise StateRefused(
                f"{champion.label} was rolled back in {name}: {held.reason}",
                code="rolled-back",
                hint=f"promote another version, or `mlops deploy apply {name} --force`",
                details={"model": held.model, "version": held.version},
            )
        held = None
    elif held is not None and former is not None and champion.digest != former.champion.digest:
        held = None  # another version than the refused one has come: its case is closed
    challengers, notes = _challengers(deployment, champion, versions)
    wanted = Environment(
        name,
        champion,
        now,
        challengers,
        deployment.target,
        deployment.log,
        deployment.limits,
        held=held,
        features=features,
    )
    return toward(wanted, former, running, notes)


def roll_back(former: Environment, running: Running, *, now: str, reason: str) -> Plan:
    """Return how to come back to the champion before this one.

    Raises StateRefused ("nothing-to-roll-back").
    """
    if not former.former:
        raise StateRefused(
            f"{former.name} has no former version to go back to",
            code="nothing-to-roll-back",
            hint=f"mlops deploy history {former.name}",
        )
    left, back = former.champion, former.former[0]
    wanted = replace(
        former,
        champion=back,
        since=now,
        challengers=tuple(c for c in former.challengers if c.pinned.digest != back.digest),
        former=former.former[1:],
        held=Held(left.model, left.version, left.digest, reason),
    )
    changes = [Change("champion", f"champion: {left.label} back to {back.label}.")]
    action: Action = "switch"
    if running.state != "running":
        changes.insert(0, _start(running))
        action = "start"
    return Plan(wanted, former, action, tuple(changes))


def toward(
    wanted: Environment, former: Environment | None, running: Running, notes: tuple[str, ...] = ()
) -> Plan:
    """Return the plan from `former` to `wanted`, with history and `since` carried over."""
    changes = _changes(wanted, former)
    if former is not None:
        stack = former.former
        if former.champion.digest != wanted.champion.digest:
            stack = (former.champion, *stack)[:KEPT]
        else:
            wanted = replace(wanted, since=former.since)
        wanted = replace(wanted, former=stack)
    action: Action = "switch" if changes or wanted != former else "none"
    if action == "switch" and not changes:
        sentence = f"champion: still {wanted.champion.label}, now called {wanted.champion.name}."
        changes.append(Change("champion", sentence))
    served = running.desired
    if running.state != "running":
        action = "start"
        changes.insert(0, _start(running))
    elif former is not None and former.target != wanted.target:
        action = "restart"
    elif served is not None and served.models[0].digest != wanted.champion.digest:
        action = "switch"
        if not changes:
            said = f"{served.models[0].model} v{served.models[0].version}"
            changes.append(Change("server", f"server: it serves {said}, not what git says."))
    return Plan(wanted, former, action, tuple(changes), notes)


def desired(environment: Environment, folders: Mapping[str, str]) -> Desired:
    """Return what the server is told; `folders` by bundle digest."""
    from mlops_cli.pipeline.model.amounts import size
    from mlops_cli.serving.desired import Served

    def served(role: str, pinned: Pinned, share: float) -> Served:
        return Served(
            role,
            pinned.model,
            pinned.version,
            pinned.digest,
            pinned.bundle,
            folders[pinned.bundle],
            share,
        )

    return Desired(
        environment.name,
        (
            served("champion", environment.champion, 0.0),
            *(served(item.mode, item.pinned, item.share) for item in environment.challengers),
        ),
        environment.target.host,
        environment.target.port,
        environment.target.workers,
        size(environment.limits.body),
        environment.limits.rows,
        environment.log.sample,
        dict(environment.log.pii),
        environment.since,
        environment.features,
    )


def _start(running: Running) -> Change:
    state = "died" if running.state == "died" else f"is {running.state}"
    return Change("server", f"server: start it, it {state}.")


def _challengers(
    deployment: Deployment, champion: Pinned, versions: Mapping[str, Pinned | None]
) -> tuple[tuple[Challenger, ...], tuple[str, ...]]:
    found: list[Challenger] = []
    notes: list[str] = []
    for item in deployment.challengers:
        pinned = versions[item.model]
        if pinned is None:
            notes.append(f"challenger {item.model} has no version yet and is left out.")
        elif pinned.digest == champion.digest:
            notes.append(f"challenger {item.model} is the champion itself and is left out.")
        else:
            found.append(Challenger(pinned, item.mode, item.share))
    return tuple(found), tuple(notes)


def _changes(wanted: Environment, former: Environment | None) -> list[Change]:
    if former is None:
        changes = [Change("champion", f"champion: {wanted.champion.label}, the first.")]
    elif former.champion.digest != wanted.champion.digest:
        sentence = f"champion: {former.champion.label} to {wanted.champion.label}."
        changes = [Change("champion", sentence)]
    else:
        changes = []
    before = {item.pinned.digest: item for item in former.challengers} if former else {}
    after = {item.pinned.digest: item for item in wanted.challengers}
    for digest, item in after.items():
        if before.get(digest) != item:
            verb = "change" if digest in before else "add"
            share = f" with {item.share:.0%} of the traffic" if item.mode == "canary" else ""
            sentence = f"challenger: {verb} {item.pinned.label} as {item.mode}{share}."
            changes.append(Change("challenger", sentence))
    for digest, item in before.items():
        if digest not in after:
            changes.append(Change("challenger", f"challenger: remove {item.pinned.label}."))
    if former is not None:
        for what in ("target", "log", "limits", "features"):
            if getattr(former, what) != getattr(wanted, what):
                restarts = " (restarts the server)" if what == "target" else ""
                changes.append(Change(what, f"{what}: as pipeline.yaml says now{restarts}."))
    return changes
