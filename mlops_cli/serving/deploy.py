"""Deploy, roll back, stop: bundle → server → environments/<name>.yaml → record → commit.

The file and the commit follow the server's own answer, so that git never says what is not served.
A crash between them is mended by the same command: it finds the server as desired and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mlops_cli import fsio, plugins
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.record import Code, record
from mlops_cli.pipeline.model.serving import Deployment
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import refusal
from mlops_cli.registry.chain.walk import walk
from mlops_cli.registry.registry import Registry
from mlops_cli.serving import bundle, environment, plan, recipe
from mlops_cli.serving.desired import folder
from mlops_cli.serving.environment import Environment, Pinned
from mlops_cli.serving.model import open_model
from mlops_cli.serving.parts import Parts, moment, open_target
from mlops_cli.serving.plan import Plan
from mlops_cli.serving.recipe import Recipe
from mlops_cli.serving.target import Running
from mlops_cli.vcs.commit import commit_paths, refuse_when_busy


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was done. `record` and `commit` are None where nothing had to be done."""

    plan: Plan
    running: Running
    record: str | None = None
    commit: str | None = None


def plan_for(parts: Parts, name: str, deployment: Deployment, *, force: bool = False) -> Plan:
    """Return what `apply` would do. Raises NotFound for a champion that does not exist."""
    registry = Registry(parts.git)
    names = [deployment.model, *(item.model for item in deployment.challengers)]
    versions = {
        item: _pin(registry, item, optional=item != deployment.model)
        for item in dict.fromkeys(names)
    }
    return plan.plan(
        name,
        deployment,
        versions=versions,
        former=environment.read(parts.root, name),
        running=look(parts, name, deployment.target.kind),
        now=moment(parts),
        features=_features(parts, deployment),
        force=force,
    )


def apply(
    parts: Parts,
    name: str,
    deployment: Deployment,
    *,
    force: bool = False,
    judged: bool = False,
) -> Deployed:
    """Make the environment `name` serve what `deployment` asks for, and return when it does.

    The chain behind every model has to hold. A model that comes by an alias, champion or
    challenger, is held against the policy of that alias again when it is new here; a champion
    that the caller has `judged` in this very process is not.
    Raises IntegrityError ("golden-mismatch", "damaged-model", …), StateRefused ("rolled-back",
    "gate-refused", "challenger-inputs", …), OutsideWorld ("port-in-use", "server-died",
    "server-silent"); what served before then goes on serving.
    """
    with _locked(parts, name):
        made = plan_for(parts, name, deployment, force=force)
        action = "switch" if made.former else "deploy"
        if made.action != "none":
            _confirm(parts, made.environment)
            if made.switches_champion and not judged:
                _judge(parts, made.environment.champion)
            for pinned in made.joining:
                _judge(parts, pinned)
        return _carry_out(parts, made, action)


def roll_back(parts: Parts, name: str, *, reason: str = "rolled back by hand") -> Deployed:
    """Serve the champion before this one again, and hold the present one back."""
    with _locked(parts, name):
        former = _known(parts, name)
        running = look(parts, name, former.target.kind)
        made = plan.roll_back(former, running, now=moment(parts), reason=reason)
        _confirm(parts, made.environment, back=True)
        return _carry_out(parts, made, "rollback", reason=reason)


def stop(parts: Parts, name: str) -> bool:
    """End the server of `name`; return whether one ran. Its desired state stays in git."""
    with _locked(parts, name):
        present = _known(parts, name)
        target = open_target(parts.root, present.target.kind)
        running = target.look(name)
        stopped = target.stop(name, wait=parts.wait)
        if stopped:
            _record(parts, code_now(parts.git), present, None, "stop", running.url)
        return stopped


def look(parts: Parts, name: str, kind: str | None = None) -> Running:
    """Return what serves `name` now; `kind` of target as its file says, else."""
    if kind is None:
        kind = _known(parts, name).target.kind
    return open_target(parts.root, kind).look(name)


def _carry_out(parts: Parts, made: Plan, action: str, reason: str | None = None) -> Deployed:
    wanted = made.environment
    if made.former is not None and made.former.undecided:
        file = environment.path(wanted.name)
        raise StateRefused(
            f"a merge left two states in {file}, and nobody has decided which it is",
            code="environment-undecided",
            hint=f"mlops merge --ours|--theirs {file}",
            details={"file": file},
        )
    if made.action == "none":
        return Deployed(made, look(parts, wanted.name, wanted.target.kind))
    refuse_when_busy(parts.git)
    parts.git.identity()
    code = code_now(parts.git)
    folders = _materialise(parts, wanted)
    target = open_target(parts.root, wanted.target.kind)
    running = target.apply(plan.desired(wanted, folders), now=moment(parts), wait=parts.wait)
    if made.former == wanted:  # git knows already; the server had only to be started
        digest = _record(parts, code, wanted, wanted.champion, "start", running.url)
        return Deployed(made, running, digest)
    environment.write(parts.root, wanted)
    former = made.former.champion if made.former else None
    digest = _record(parts, code, wanted, former, action, running.url, reason=reason)
    commit = commit_paths(
        parts.git,
        [environment.path(wanted.name)],
        subject=_subject(wanted, action),
        body="\n".join(change.sentence for change in made.changes),
        trailers={"Mlops-Record": digest},
    )
    return Deployed(made, running, digest, commit)


def _judge(parts: Parts, pinned: Pinned) -> None:
    """Raise StateRefused ("gate-refused") where the gates of the alias are closed to it."""
    alias = pinned.name.partition("@")[2]
    if alias and not alias.removeprefix("v").isdecimal() and not alias.startswith("sha256:"):
        judge = plugins.load("mlops.judges", "policy")
        judge(parts, pinned.model, alias, pinned.version, protected=parts.protected)


def _confirm(parts: Parts, wanted: Environment, *, back: bool = False) -> None:
    """Raise the refusal of the first model whose chain does not hold: IntegrityError, NotFound,
    StateRefused. What is served again was found by its version, not by its alias."""
    protected = parts.protected
    policies = plugins.load("mlops.judges", "claims")(protected)
    ground = Ground(
        *(parts.git, parts.cache, "bundle", protected.allowed(), policies), protected.keyless()
    )
    for pinned in (wanted.champion, *(item.pinned for item in wanted.challengers)):
        name = f"{pinned.model}@v{pinned.version}" if back else pinned.name
        if error := refusal(name, walk(ground, name)):
            raise error


def _materialise(parts: Parts, wanted: Environment) -> Mapping[str, str]:
    """Return bundle digest → folder, after every model has given its golden outputs."""
    folders: dict[str, str] = {}
    for pinned in (wanted.champion, *(item.pinned for item in wanted.challengers)):
        relative = bundle.open_bundle(parts.cache, pinned.bundle, root=parts.root)
        place = parts.root / relative
        model = open_model(
            place,
            name=pinned.model,
            version=pinned.version,
            digest=pinned.digest,
            bundle=pinned.bundle,
        )
        golden = bundle.check_golden(model, place)
        if not golden.passed:
            raise bundle.refuse_golden(model, golden)
        folders[pinned.bundle] = relative
    return folders


def _record(
    parts: Parts,
    code: Code,
    wanted: Environment,
    former: Pinned | None,
    action: str,
    url: str | None,
    *,
    reason: str | None = None,
) -> str:
    champion = wanted.champion
    made = record(
        "deployment",
        time=parts.now(),
        actor=str(parts.git.identity()),
        code=code,
        environment=wanted.name,
        model=champion.model,
        version=champion.version,
        digest=champion.digest,
        bundle=champion.bundle,
        former=former.digest if former else None,
        former_version=former.version if former else None,
        challengers=[item.pinned.digest for item in wanted.challengers],
        url=url,
        action=action,
        reason=reason,
    )
    parts.ledger.append(made)
    return made.digest


def _features(parts: Parts, deployment: Deployment) -> Recipe | None:
    if deployment.features is None:
        return None
    return recipe.of(load(parts.root), deployment, parts.root)


def _pin(registry: Registry, name: str, *, optional: bool) -> Pinned | None:
    try:
        version = registry.resolve(name)
    except NotFound:
        if optional:
            return None
        raise
    return Pinned(name, version.model, version.number, str(version.digest), str(version.bundle))


def _known(parts: Parts, name: str) -> Environment:
    present = environment.read(parts.root, name)
    if present is None:
        raise NotFound(
            f"nothing was ever deployed to {name!r}",
            code="unknown-environment",
            hint=f"mlops deploy apply {name}",
        )
    return present


def _subject(wanted: Environment, action: str) -> str:
    champion = wanted.champion
    if action == "rollback":
        return f"deploy: {wanted.name} back to {champion.label}"
    return f"deploy: {champion.label} to {wanted.name}"


def _locked(parts: Parts, name: str) -> AbstractContextManager[Any]:
    environment.path(name)
    place = folder(parts.root, name)
    return fsio.lock(place / "lock", what=f"the environment {name}", wait=parts.wait)
