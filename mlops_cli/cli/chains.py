"""The chain behind models that are named, walked as deeply as a level says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_cli.errors import UsageError
from mlops_cli.registry import protected
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link
from mlops_cli.registry.chain.walk import walk
from mlops_cli.training.pledged import policies

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project

LEVELS = ("refs", "bytes", "reproduce")


def chain(ctx: Context, project: Project, names: Sequence[str], level: str) -> list[Link]:
    """Return every link behind what `names` mean, and where they all hold and bytes are asked
    for, all else that their lineage names. Raises UsageError ("bad-value"), NotFound.
    """
    if level not in LEVELS:
        raise UsageError(
            f"{level!r} is no level of a version",
            code="bad-value",
            hint="one of: " + ", ".join(LEVELS),
        )
    branch = protected.branch(project.git, ctx.settings)
    ground = Ground(
        project.git,
        project.cache,
        "refs" if level == "refs" else "bytes",
        branch.allowed(),
        policies(branch),
        branch.keyless(),
    )
    found: list[Link] = []
    for name in names:
        links = walk(ground, name)
        found += links
        if level == "refs" or any(link.bad for link in links):
            continue
        from mlops_cli.cli import confirm  # brings all that finds and reads data

        known = {link.digest for link in links if link.digest}
        found += confirm.confirm(project, [name], ctx.cwd, known=known)
        if level == "reproduce":
            found += _reproduced(ctx, project, name)
    return found


def _reproduced(ctx: Context, project: Project, name: str) -> Iterator[Link]:
    """Run what made the version again, and yield how what each step made stands to it."""
    from mlops_cli.cli.commands import reproduce

    for step in reproduce.again(ctx, project, name).steps:
        link = Link("reproduced", step.step, None, "cache")
        if step.verdict == "identical":
            yield link
        elif step.verdict == "within tolerance":
            yield replace(link, wrong="other bytes, and metrics within the tolerance")
        else:
            first = next((cause.sentence for cause in step.because), None)
            why = step.error or first or f"other bytes: {', '.join(step.outputs)}"
            yield link.found("mismatch", "not-reproduced", why)
