"""`mlops verify`: read and hash everything; name what is damaged; mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mlops_cli.cli import bundles, context
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound
from mlops_cli.store import verify
from mlops_cli.store.verify import Finding, Report
from mlops_cli.workspace import mend, remotes, tracked


def command(
    repair: Annotated[
        bool, typer.Option("--repair", help="Take good copies from workspace and remote.")
    ] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", "-r", help="Where good copies come from.")
    ] = None,
) -> int:
    """Hash every object of the cache, and look for every object that git names.

    Answers 0 when all are here and right, 40 when any is damaged or missing. Damaged bytes are
    set aside and never used; --repair brings good ones back.
    """
    ctx = context.current()
    project = ctx.project()
    every = tracked.tracked(project.root, project.git)
    # a bundle that was never fetched is not missing; one that is here has to be whole
    roots = [one.root for one in (*every, *bundles.held(project.git, project.cache))]
    report = verify.verify(project.cache, roots, progress=ctx.progress)
    mended: tuple[Finding, ...] = ()
    if repair and not report.clean:
        sources = [mend.from_workspace(project.root, every, project.cache)]
        try:
            named = remotes.choose(project.settings, remote)
        except NotFound:
            if remote is not None:
                raise
        else:
            place = remotes.connect(named, project.root)
            sources.append(mend.from_remote(place, project.cache, now=ctx.now()))
        mended, report = verify.repair(project.cache, report, roots, sources=sources)
    data = {
        "checked": report.checked,
        "bytes": report.bytes,
        "damaged": [_plain(finding) for finding in report.damaged],
        "missing": [_plain(finding) for finding in report.missing],
        "repaired": [_plain(finding) for finding in mended],
        "clean": report.clean,
    }
    return ctx.show(
        data,
        "mlops.verify/1",
        lambda: _page(report, mended, repair=repair),
        code=0 if report.clean else 40,
    )


def _plain(finding: Finding) -> dict[str, Any]:
    return {"digest": finding.digest, "paths": list(finding.paths)}


def _page(report: Report, mended: Sequence[Finding], *, repair: bool) -> str:
    rows = [
        *_rows("repaired", "green", mended),
        *_rows("damaged", "red", report.damaged),
        *_rows("missing", "red", report.missing),
    ]
    lines = [text.table(rows), ""] if rows else []
    checked = f"{text.count(report.checked, 'object')}, {text.size(report.bytes)}"
    if report.clean:
        lines.append(f"Checked {checked}: every byte is what its digest says.")
        return "\n".join(lines)
    bad = text.count(len(report.damaged) + len(report.missing), "object")
    lines.append(f"Checked {checked}: {bad} damaged or missing.")
    if repair:
        lines.append("No good copy was found: push from a clone that has one, then mlops pull.")
    else:
        lines.append("Bring good copies back with: mlops verify --repair")
    return "\n".join(lines)


def _rows(word: str, look: str, findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    return [
        (text.style(word, look), finding.digest, ", ".join(finding.paths) or "(no path needs it)")
        for finding in findings
    ]
