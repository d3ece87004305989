"""What a run may take from elsewhere: which remote is asked, and whose word counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_cli.pipeline.planning.parts import RunParts

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.pipeline.traces.elsewhere import Elsewhere
    from mlops_cli.project import Project
    from mlops_cli.store.remotes.remote import Remote


def parts(ctx: Context, project: Project, *, pull: bool = False, offline: bool = False) -> RunParts:
    """Return the parts of a run that asks the remote for results: with `pull`, or where the
    setting run.remote_cache says so, and never `offline`. Nothing is opened before a key is
    unknown here."""
    made: list[Elsewhere] = []

    def elsewhere() -> Elsewhere:
        if not made:
            asks = pull or bool(ctx.settings.get("run.remote_cache"))
            made.append(_elsewhere(ctx, project, asks=asks and not offline))
        return made[0]

    return replace(RunParts.of(project, ctx.environment), elsewhere=elsewhere)


def _elsewhere(ctx: Context, project: Project, *, asks: bool) -> Elsewhere:
    from mlops_cli.pipeline.traces.admission import Admission
    from mlops_cli.pipeline.traces.elsewhere import Elsewhere

    settings = ctx.settings

    def remote() -> Remote:
        from mlops_cli.workspace import remotes

        return remotes.connect(remotes.choose(settings, None), project.root)

    return Elsewhere(
        project.cache,
        remote if asks else None,
        Admission(
            project.git,
            settings.get("trust.runs"),
            _words(settings.get("trust.branches")),
            _words(settings.get("trust.writers")),
        ),
        ctx.now,
        ctx.warn,
        ctx.progress,
        settings.get("ledger.branch"),
    )


def _words(value: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (value or "").split(",") if word.strip())
