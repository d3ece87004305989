"""`mlops verify`: read and hash everything, or what is named; tell what is damaged; mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mlops_cli.cli import bundles, context
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.store import verify
from mlops_cli.store.verify import Finding, Report
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import mend, remotes, tracked


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Digests, or what lineage takes: delay@production; all if left out."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take good copies from workspace and remote.")
    ] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", "-r", help="Where good copies come from.")
    ] = None,
) -> int:
    """Hash every object of the cache, every record and tag; look for every object git names.

    Answers 0 when all are here and right, 40 when any is damaged or missing. Damaged bytes are
    set aside and never used; --repair brings good ones back.
    Confirm every link of a lineage:  mlops verify delay@production
    """
    ctx = context.current()
    if names and (repair or remote is not None):
        raise UsageError(
            "--repair and --remote mend all, not what is named", code="bad-options",
            hint="mlops verify --repair",
        )  # fmt: skip
    if names:
        return _links(ctx, names)
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
    history = _history(project.git)
    clean = report.clean and not any(part["damaged"] for part in history.values())
    data = {
        "checked": report.checked,
        "bytes": report.bytes,
        "damaged": [_plain(finding) for finding in report.damaged],
        "missing": [_plain(finding) for finding in report.missing],
        "repaired": [_plain(finding) for finding in mended],
        **history,
        "clean": clean,
    }
    return ctx.show(
        data,
        "mlops.verify/1",
        lambda: _page(report, mended, repair=repair) + _told(history),
        code=0 if clean else 40,
    )


def _history(git: Git) -> dict[str, dict[str, Any]]:
    """Return how the records of the ledger and the tags of the registry were found."""
    from mlops_cli.ledger import verify as ledger
    from mlops_cli.registry import verify as registry

    records, (tags, wrong) = ledger.verify(git), registry.verify(git)
    return {
        "records": {"checked": records.checked, "damaged": dict(records.damaged)},
        "tags": {"checked": tags, "damaged": wrong},
    }


def _links(ctx: context.Context, names: Sequence[str]) -> int:
    """Show whether each thing that `names` mean is what its digest says."""
    from mlops_cli.cli import confirm

    links = confirm.confirm(ctx.project(), names, ctx.cwd)
    bad = [link for link in links if link.wrong]
    rows = [
        (
            text.style("wrong", "red") if link.wrong else text.style("ok", "green"),
            link.place or "nowhere",
            link.kind,
            link.digest,
        )
        for link in links
    ]
    told = [text.table(rows), "", *(f"{link.label}: {link.wrong}" for link in bad)]
    if not bad:
        told.append(f"Confirmed {text.count(len(links), 'link')}: each is what its digest says.")
    data = {
        "links": [
            {
                "digest": link.digest,
                "kind": link.kind,
                "label": link.label,
                "place": link.place,
                "wrong": link.wrong,
            }
            for link in links
        ],
        "clean": not bad,
    }
    return ctx.show(data, "mlops.verify-links/1", "\n".join(told), code=40 if bad else 0)


def _told(history: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the lines about records and tags, none where there are none."""
    counts = [
        text.count(history[part]["checked"], one)
        for part, one in (("records", "record"), ("tags", "tag"))
        if history[part]["checked"]
    ]
    wrong = [f"{name}: {why}" for part in history.values() for name, why in part["damaged"].items()]
    said = f"Checked {' and '.join(counts)}" if counts else ""
    if wrong:
        return "\n".join(["", said or "History:", *wrong, "git fetch sound ones from a clone."])
    return f"\n{said}: each is what its name says." if said else ""


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
