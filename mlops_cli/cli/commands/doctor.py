"""`mlops doctor`: this machine and this project, looked over; each problem with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from mlops_cli import config
from mlops_cli.cli import checkup, checkup_disk, context
from mlops_cli.cli.checkup import Finding
from mlops_cli.cli.render import text
from mlops_cli.errors import MlopsError
from mlops_cli.vcs.repo import Git, find_root
from mlops_cli.workspace import caches

MARKS = {"ok": ("ok", "green"), "note": ("--", "yellow"), "problem": ("no", "red")}


def command(
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the remotes.")] = False,
) -> int:
    """Check versions, extras, git, pipeline.yaml, disk and remotes.

    Answers 0 when all that is needed is there and 1 when something keeps the project from
    working. What is merely not installed or not set up is told, and is no problem.
    """
    ctx = context.current()
    root = find_root(ctx.cwd)
    findings = [*checkup.versions(), *checkup.extras()]
    findings += checkup.git_setup(Git(root) if root else None)
    if root is not None:
        findings += _settled("project", "pipeline", lambda: checkup.pipeline(root))
        try:
            settings = ctx.settings
        except MlopsError as error:
            findings.append(checkup.of_error("project", "settings", error))
            settings = config.Settings({})
        cache = caches.place(root, settings)
        findings += [*checkup_disk.disk(cache), *checkup_disk.quarantine(cache, ctx.now())]
        if not offline:
            findings += checkup.remotes(settings, root)
    usable = all(finding.state != "problem" for finding in findings)
    data = {
        "usable": usable,
        "findings": [
            {
                "group": finding.group,
                "name": finding.name,
                "state": finding.state,
                "message": finding.message,
                "mend": finding.mend,
                "facts": dict(finding.facts),
            }
            for finding in findings
        ],
    }
    return ctx.show(data, "mlops.doctor/1", lambda: _page(findings), code=0 if usable else 1)


def _settled(group: str, name: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(ask())
    except MlopsError as error:
        return [checkup.of_error(group, name, error)]


def _page(findings: list[Finding]) -> str:
    lines: list[str] = []
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            lines += ["", text.style(group, "bold")] if lines else [text.style(group, "bold")]
        mark, look = MARKS[finding.state]
        lines.append(f"  {text.style(mark, look)}  {finding.name:<10}  {finding.message}")
        if finding.mend:
            lines.append(f"      {'':<10}  {text.style('mend:', 'bold')} {finding.mend}")
    problems = sum(finding.state == "problem" for finding in findings)
    lines += ["", "All that is needed is here." if not problems else _verdict(problems)]
    return "\n".join(lines)


def _verdict(problems: int) -> str:
    return f"{text.count(problems, 'problem')} to mend: the lines marked {text.style('no', 'red')}."
