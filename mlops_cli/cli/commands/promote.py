"""`mlops promote`: an alias moves to another version if its gates are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused, UsageError
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry.registry import Registry
from mlops_cli.training.action import work
from mlops_cli.training.promote import Promotion, promote

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL[@vN]",
        help="delay, delay@v3, delay@sha256:…",
        autocompletion=known.versions,
    ),
]
Alias = Annotated[
    str,
    typer.Argument(
        help="An alias of the model in pipeline.yaml: production.", autocompletion=known.roles
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Judge and tell; move nothing.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def command(model: Model, alias: Alias, dry_run: DryRun = False, reason: Reason = "") -> int:
    """Move ALIAS to the version, the newest one if none is named, and show every gate.

    The policy is models/MODEL.yaml, or the gates in pipeline.yaml, as the protected branch has it.
    The evidence is gathered now: the golden rows are tried again, and where a gate says
    better_than, both models answer the rows that the challenger was tested on. A closed gate is
    refused (exit 30, gate-refused), or answered with 1 under --dry-run; there is no --force.
    """
    from mlops_cli.registry.protected import branch

    ctx = context.current()
    project = ctx.project()
    name, version = version_of(model, project.git)
    answer = promote(
        work(project),
        load(project.root),
        name,
        alias,
        version,
        now=ctx.now(),
        reason=reason,
        dry_run=dry_run,
        protected=branch(project.git, ctx.settings, fresh=True),
    )
    data = answer.to_plain() | {"dry_run": dry_run}
    if not answer.verdict.passed and not dry_run:
        for note in answer.notes:
            ctx.warn(note)
        raise _refused(answer, data)
    return ctx.show(
        data,
        "mlops.promote/1",
        lambda: screen(data),
        warnings=answer.notes,
        code=0 if answer.verdict.passed else 1,
    )


def version_of(text_: str, git: Git) -> tuple[str, int | None]:
    """Return model and number of "delay@v3" or "delay@sha256:1a2b", None for the number of
    "delay" alone."""
    model, at, which = text_.partition("@")
    if which.startswith("sha256:"):
        return model, Registry(git).resolve(text_).number
    number = which.removeprefix("v")
    if not at:
        return model, None
    if not (number.isascii() and number.isdecimal()):
        raise UsageError(
            f"{text_!r} is not a version",
            code="bad-version",
            hint=f"write {model}, or {model}@v3; then the alias: mlops promote {model} production",
        )
    return model, int(number)


def _refused(answer: Promotion, data: dict[str, Any]) -> StateRefused:
    closed = [rule for rule in answer.verdict.rules if not rule.passed]
    name = answer.version.name
    return StateRefused(
        f"{name} may not become {answer.alias}: "
        + "; ".join(f"{rule.name} ({rule.why})" for rule in closed),
        code="gate-refused",
        hint=f"mlops promote {name} {answer.alias} --dry-run",
        details=data,
    )


def screen(data: dict[str, Any]) -> str:
    """Return what a person reads: each gate with its evidence, then what came of it."""
    rows = [
        (
            text.style("open", "green") if rule["passed"] else text.style("closed", "red"),
            text.shown(rule["name"]),
            text.shown(rule["why"]),
        )
        for rule in data["rules"]
    ]
    name = f"{data['model']}@v{data['version']}"
    before = f"v{data['former']}" if data["former"] else "nothing"
    if data["dry_run"]:
        could = "could become" if data["passed"] else "may not become"
        last = f"{name} {could} {data['alias']}, which is {before} now."
    elif data["moved"]:
        last = f"{data['model']}@{data['alias']} is v{data['version']} now; it was {before}."
    else:
        last = f"{data['model']}@{data['alias']} is v{data['version']} already."
    policy = data["policy"]
    where = f" at {policy['branch']} {policy['commit'][:7]}" if policy["branch"] else ""
    return f"{text.table(rows, indent='  ')}\n{last}\nThe policy is {policy['file']}{where}"
