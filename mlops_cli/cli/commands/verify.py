"""`mlops verify`: read and hash everything, or what is named; tell what is damaged; mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.errors import UsageError
from mlops_cli.registry.chain.link import Link, exit_code
from mlops_cli.store.care.course import LEVELS
from mlops_cli.store.care.rounds import Extent

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Versions, as delay@production; digests; all if left out.",
            autocompletion=known.models,
        ),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", help="Verify this remote instead of the cache.")
    ] = None,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            help="metadata (is all named), sizes, or bytes (hashed); of versions refs (git alone),"
            " bytes, or reproduce (run again).",
        ),
    ] = "bytes",
    sample: Annotated[
        str | None,
        typer.Option("--sample", help="The next so much, as 5%: twenty of these see all."),
    ] = None,
    limit: Annotated[
        str | None, typer.Option("--for", help="Stop after so long, as 90s or 10m.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the last one was stopped or killed.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring good copies from wherever they are.")
    ] = False,
    sources: Annotated[
        list[str] | None,
        typer.Option("--from", help="The remote that good copies come from; each is asked."),
    ] = None,
) -> int:
    """Hash every object of the cache, every record and tag; look for every object git names.

    Answers 0 when all are here and right, 40 when any is damaged or missing. Damaged bytes are
    set aside and never used; --repair brings good ones from the workspace and the remotes. With
    --on a remote is read and hashed, and --repair sends it again what it has lost. What only
    cache.readonly or an attached DVC cache holds counts as here: its keeper verifies it, and each
    read of it hashes it.

    MODEL@ALIAS or MODEL@VERSION walks the chain behind it: alias event, policy, version, bundle,
    provenance, runs, raw data. Answers 20 when a link is missing, 30 when nobody who counts stands
    for it, 40 when it is not what it is named as; the worst of them.
    """
    ctx = context.current()
    if names:
        if repair or sources or on is not None or sample or limit or resume:
            raise UsageError(
                "options are for all that is kept, not for what is named", code="bad-options",
                hint="mlops verify " + " ".join(names),
            )  # fmt: skip
        return _links(ctx, names, level)
    if sources and (not repair or on is not None):
        raise UsageError(
            "--from says where good copies for the cache come from", code="bad-options",
            hint="mlops verify --repair --from " + sources[0],
        )  # fmt: skip
    extent = _extent(level, sample, limit, resume=resume)
    from mlops_cli.cli import bundles, protecting, reaching
    from mlops_cli.cli.render import verify as render
    from mlops_cli.store.care.quarantine import quarantine
    from mlops_cli.workspace import remotes, tracked, verify

    project = ctx.project()
    protecting.settle(ctx, project)
    cache, now = project.cache, ctx.now()
    every = tracked.tracked(project.root, project.git)
    # a bundle that was never fetched is not missing; one that is here has to be whole
    roots = [one.root for one in (*every, *bundles.held(project.git, cache, ctx.warn))]
    if on is not None:
        place = remotes.connect(remotes.choose(project.settings, on), project.root)
        verdict = verify.there(
            cache, place, roots, extent=extent, mending=repair, now=now, progress=ctx.progress
        )
    else:
        verdict = verify.here(cache, roots, extent=extent, progress=ctx.progress)
        if repair and not verdict.report.clean:
            known = [remotes.choose(project.settings, name) for name in sources or ()]
            verdict = verify.mend_here(
                verdict, cache, roots, tracked=every, root=project.root,
                known=known or remotes.remotes(project.settings), now=now, unheard=ctx.warn,
                again=reaching.reach(ctx, cache, project.root).again,
            )  # fmt: skip
    report, mended = verdict.report, verdict.mended
    history = _history(project.git) if on is None else {}
    aside = quarantine(cache)
    clean = report.clean and not any(part["damaged"] for part in history.values())
    data = {
        "on": on,
        "level": report.level,
        "complete": report.complete,
        "checked": report.checked,
        "bytes": report.bytes,
        "total": report.total,
        "damaged": [render.plain(finding) for finding in report.damaged],
        "missing": [render.plain(finding) for finding in report.missing],
        "flaws": [{"file": flaw.name, "why": flaw.why} for flaw in report.flaws],
        "repaired": [render.plain(finding) for finding in mended],
        "quarantine": [render.plain_aside(one, now) for one in aside],
        **history,
        "clean": clean,
    }
    return ctx.show(
        data,
        "mlops.verify/1",
        lambda: "".join(
            (
                render.page(report, mended, repair=repair, on=on),
                render.history(history),
                render.aside(aside, now),
            )
        ),
        code=0 if clean else 40,
    )


def _extent(level: str, sample: str | None, limit: str | None, *, resume: bool) -> Extent:
    """Return how much to look at. Raises UsageError ("bad-value", "bad-options")."""
    if level not in LEVELS:
        raise UsageError(
            f"{level!r} is no level", code="bad-value", hint="one of: " + ", ".join(LEVELS)
        )
    if sample is not None and resume:
        raise UsageError(
            "a sample always goes on where the last one ended", code="bad-options",
            hint=f"mlops verify --sample {sample}",
        )  # fmt: skip
    share = seconds = None
    if sample is not None:
        try:
            share = float(sample.removesuffix("%")) / 100
        except ValueError:
            share = 0.0
        if not sample.endswith("%") or not 0 < share <= 1:
            raise UsageError(
                f"{sample!r} is no part of all bytes", code="bad-value", hint="--sample 5%"
            )
    if limit is not None:
        from mlops_cli.pipeline.model.amounts import duration

        try:
            seconds = duration(limit).total_seconds()
        except ValueError as exc:
            raise UsageError(str(exc), code="bad-value", hint="--for 10m") from exc
    return Extent(LEVELS[LEVELS.index(level)], share, seconds, resume)


def _history(git: Git) -> dict[str, dict[str, Any]]:
    """Return how the records of the ledger and the tags of the registry were found."""
    from mlops_cli.ledger import verify as ledger
    from mlops_cli.registry import verify as registry

    records, (tags, wrong) = ledger.verify(git), registry.verify(git)
    return {
        "records": {"checked": records.checked, "damaged": dict(records.damaged)},
        "tags": {"checked": tags, "damaged": wrong},
    }


def _links(ctx: context.Context, names: Sequence[str], level: str) -> int:
    """Show how each link was found: of versions the chain behind them, of all else its bytes."""
    from mlops_cli.cli.bundles import split
    from mlops_cli.cli.render import links as render

    project = ctx.project()
    others, versions = split(names, ctx.cwd)
    if others and level != "bytes":
        raise UsageError(
            f"--level {level} is for versions of models", code="bad-options",
            hint="mlops verify " + " ".join(others),
        )  # fmt: skip
    links: list[Link] = []
    if versions:
        from mlops_cli.cli import chains

        links += chains.chain(ctx, project, versions, level)
    if others:
        from mlops_cli.cli import confirm

        links += confirm.confirm(project, others, ctx.cwd)
    code = exit_code(links)
    data = {"links": [link.to_plain() for link in links], "level": level, "clean": code == 0}
    return ctx.show(data, "mlops.verify-links/1", lambda: render.page(data), code=code)
