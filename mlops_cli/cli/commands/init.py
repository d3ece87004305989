"""`mlops init`: a new project, complete and committed, from a template."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mlops_cli.cli import context, crontab, founding, scaffold, timers
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused, UsageError
from mlops_cli.vcs.repo import find_root


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where the project is made.")
    ] = Path(),
    template: Annotated[
        str, typer.Option("--template", "-t", help="What to start from: minimal or flights.")
    ] = "minimal",
    name: Annotated[
        str | None, typer.Option(help="The name of the project; the folder's when left out.")
    ] = None,
    goal: Annotated[str | None, typer.Option(help="What it is for, in one sentence.")] = None,
    kpi: Annotated[
        str | None, typer.Option(help="The figure it is judged by: 'roc_auc >= 0.62'.")
    ] = None,
    owner: Annotated[
        list[str] | None, typer.Option(help="Who answers for it: NAME, or ROLE=NAME; repeatable.")
    ] = None,
    no_git: Annotated[bool, typer.Option("--no-git", help="Neither git init nor commit.")] = False,
    no_hooks: Annotated[
        bool, typer.Option("--no-hooks", help="Leave git's hooks and merge driver alone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that exist.")] = False,
) -> int:
    """Start a project: pipeline.yaml, params, code, data, settings, hooks and CI workflow.

    From then on git calls mlops when somebody commits, merges, switches and pushes: see
    `mlops hooks list`. In an existing project, and in a clone, `mlops hooks install` does that.

    Asks for name, goal, KPI and owner only on a terminal and only when none of them is given.
    """
    ctx = context.current()
    chosen = scaffold.template(template)
    root = (ctx.cwd / directory).resolve()
    if root.exists() and not root.is_dir():
        raise StateRefused(f"{root} is a file", code="not-a-folder", hint="mlops init FOLDER")
    git_root = find_root(root)
    if git_root is not None and git_root != root:
        raise StateRefused(
            f"{root} lies inside the git repository {git_root}",
            code="inside-a-repository",
            hint=f"a project is a whole repository: mlops init {git_root}, or choose another place",
        )
    folder_name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-.") or "project"
    answers = _answers(name or folder_name, name, goal, kpi, owner or [])
    if _may_ask(ctx) and not any((name, goal, kpi, owner)):
        answers = _ask(answers.name)
    plan = scaffold.plan(chosen, root, answers)
    written = sorted(plan.files)
    tracked: list[str] = []
    commit = None
    new: bool | None = None
    if not dry_run and no_git:
        written = scaffold.carry_out(plan, overwrite=force)
    elif not dry_run:
        made = founding.found(
            ctx, plan, name=answers.name, overwrite=force, with_hooks=not no_hooks
        )
        written, tracked = list(made.files), list(made.tracked)
        commit, new = made.commit, made.new
    here = os.path.relpath(root, ctx.cwd)
    following = [f"cd {shlex.quote(here)}"] if here != "." else []
    if no_git and git_root is None:
        following += ["git init", *(f"mlops add {path}" for path in chosen.track)]
        following += [] if no_hooks else ["mlops hooks install"]
    following += chosen.next
    cron = crontab.line_for(root, timers.every("15m", root), [])
    data = {
        "root": str(root),
        "name": answers.name,
        "template": template,
        "dry_run": dry_run,
        "files": written,
        "conflicts": list(plan.conflicts),
        "tracked": tracked,
        "commit": commit,
        "next": following,
        "cron": cron,
    }

    def human() -> str:
        verb = "Would make" if dry_run else "Made"
        lines = [f"{verb} the project {answers.name} in {here} from the template {template}."]
        if new is False:
            lines = [f"The project {answers.name} is in {here} already; nothing changed."]
        lines += _folders(written)
        lines += [f"In the way: {path}" for path in plan.conflicts if dry_run]
        if commit and new:
            lines.append(f"Committed all of it as {commit[:10]}")
        if not dry_run:
            lines += ["", text.style("Next:", "bold"), *(f"  {each}" for each in following)]
            lines += [
                "",
                "To let cron or systemd run what is due, by the clock, new data or drift:",
            ]
            lines += ["  mlops schedule install"]
        return "\n".join(lines)

    return ctx.show(data, "mlops.init/1", human)


def _answers(
    name: str, given: str | None, goal: str | None, kpi: str | None, owners: list[str]
) -> scaffold.Answers:
    if given is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", given):
        raise UsageError(
            f"{given!r} is not a name for a project",
            code="bad-value",
            hint="letters, digits, spaces, dots and dashes",
        )
    pairs = [each.partition("=") for each in owners]
    people = {role if eq else "*": who if eq else role for role, eq, who in pairs}
    return scaffold.Answers(name, goal, None if kpi is None else _kpi(kpi), people)


def _kpi(told: str) -> str:
    match = re.fullmatch(r"\s*([a-z][a-z0-9_]*)\s*(?:(>=|<=)\s*([0-9.]+))?\s*", told)
    if match is None:
        raise UsageError(f"{told!r} is not a KPI", code="bad-value", hint="--kpi 'roc_auc >= 0.62'")
    metric, sign, bound = match.groups()
    limit = f", {'at_least' if sign == '>=' else 'at_most'}: {float(bound):g}" if sign else ""
    return f"{{metric: {metric}{limit}}}"


def _may_ask(ctx: context.Context) -> bool:
    quiet = ctx.options.json or ctx.options.quiet or ctx.environment.get("CI")
    return sys.stdin.isatty() and sys.stderr.isatty() and not quiet


def _ask(name: str) -> scaffold.Answers:
    name = typer.prompt("Name", default=name, err=True)
    goal = typer.prompt("Goal, in one sentence", default="", show_default=False, err=True)
    kpi = typer.prompt("KPI, such as roc_auc >= 0.62", default="", show_default=False, err=True)
    owner = typer.prompt("Owner", default="", show_default=False, err=True)
    return _answers(name, name, goal or None, kpi or None, [owner] if owner else [])


def _folders(files: list[str]) -> list[str]:
    tops: dict[str, int] = {}
    for path in files:
        head, slash, _ = path.partition("/")
        tops[head + slash] = tops.get(head + slash, 0) + 1
    return [
        f"  {top}" + (f"  ({text.count(count, 'file')})" if top.endswith("/") else "")
        for top, count in tops.items()
    ]
