"""`mlops approve`: somebody stands for a version with a key of their own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.commands.promote import version_of
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry import approval, keys
from mlops_cli.registry.protected import branch
from mlops_cli.training import policy, register
from mlops_cli.training.action import work
from mlops_cli.training.case import Case
from mlops_cli.training.traced import trainers

Model = Annotated[
    str,
    typer.Argument(metavar="MODEL[@vN]", help="delay, or delay@v3.", autocompletion=known.versions),
]
Alias = Annotated[
    str,
    typer.Option("--alias", help="The alias that it may take.", autocompletion=known.roles),
]
Reason = Annotated[str, typer.Option("--reason", help="What you looked at, for the record.")]


def command(
    model: Model,
    reason: Reason,
    alias: Alias = "production",
) -> int:
    """Sign that the version, the newest one if none is named, may become --alias.

    The approval is a tag, signed by the ssh key of the setting signing.key (or git's own), that
    `mlops push` sends. It counts where the protected branch lists the key in
    .mlops/allowed_signers, the key is in force, and its owner did not train the version.
    """
    ctx = context.current()
    project = ctx.project()
    pipeline = load(project.root)
    name, number = version_of(model, project.git)
    register.declared(pipeline, name)
    parts = work(project)
    registry = parts.registry
    version = registry.version(name, number) if number is not None else registry.newest(name)
    protected = branch(project.git, ctx.settings, fresh=True)
    policy.policy(project.git, pipeline, name, alias, protected=protected)  # there is such an alias
    key = keys.key_of(project.git, ctx.settings.get("signing.key"))
    if key is None:
        raise NotFound(
            "there is no key to sign with",
            code="no-such-key",
            hint="ssh-keygen -t ed25519; mlops config set --user signing.key ~/.ssh/id_ed25519",
        )
    actor = str(project.git.identity())
    now = ctx.now()
    made = approval.approve(
        *(project.git, version, alias),
        key=key,
        actor=actor,
        reason=reason,
        time=now,
        remote=registry.remote,
    )
    case = Case(parts, pipeline, version, alias, protected, now)
    given = approval.counted(
        project.git,
        version,
        alias,
        allowed=protected.allowed(),
        trainers=trainers(case),
        at=now,
    )
    own = next(each for each in given if each["tag"] == made.tag)
    data = {
        "model": name,
        "version": version.number,
        "digest": version.digest,
        "alias": alias,
        **own,
        "approvals": given,
    }
    return ctx.show(data, "mlops.approve/1", lambda: screen(data))


def screen(data: dict[str, Any]) -> str:
    """Return what a person reads."""
    name = f"{data['model']}@v{data['version']}"
    lines = [f"{text.shown(data['by'])} approves {name} for {data['alias']}."]
    if not data["counts"]:
        lines = [f"The approval of {name} for {data['alias']} is kept, and does not count yet:"]
        lines.append(f"  {text.shown(data['why'])}.")
    given = data["approvals"]
    good = sum(each["counts"] for each in given)
    counts = "count" if good > 1 else "counts"
    lines.append(f"{good} of {text.count(len(given), 'approval')} {counts}. Next: mlops push")
    return "\n".join(lines)
