"""`mlops hooks`: what happens by itself when somebody commits, switches, merges and pushes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, git_hooks, history
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.vcs import drivers, exchange, hooks, refs

app = typer.Typer()
Arguments = Annotated[
    list[str] | None, typer.Argument(help="What git gave to the hook.", show_default=False)
]


@app.command("install")
def install() -> int:
    """Let git call mlops in this clone: hooks, and the merge driver.

    Hooks that are there go on working. Lines in .gitattributes tell everyone's git which files
    the driver is for; commit them.
    """
    ctx = context.current()
    git = ctx.project().git
    changed = [str(path) for path in hooks.install(git, git_hooks.commands())]
    driver = drivers.install(git, git_hooks.driver())
    attributes = drivers.write_attributes(git.root)
    told = history.tell_git(ctx, git)
    data = {"changed": changed, "driver": driver, "attributes": attributes, "refspec": told}

    def human() -> str:
        if not (changed or driver or attributes or told):
            return "All of it is installed already."
        lines = [f"Installed {text.count(len(changed), 'hook')} and the merge driver."]
        return "\n".join([*lines, *(["Commit .gitattributes."] if attributes else [])])

    return ctx.show(data, "mlops.hooks-install/1", human)


@app.command("uninstall")
def uninstall() -> int:
    """Take our lines out of the hooks, and the driver out of git's configuration."""
    ctx = context.current()
    git = ctx.project().git
    changed = [str(path) for path in hooks.uninstall(git)]
    driver = drivers.uninstall(git)
    exchange.untell_git(git)
    words = f"Took our lines out of {text.count(len(changed), 'hook')}."
    return ctx.show({"changed": changed, "driver": driver}, "mlops.hooks-uninstall/1", words)


@app.command("list")
def list_() -> int:
    """Say which hooks are installed here, and what each does."""
    ctx = context.current()
    git = ctx.project().git
    present = hooks.installed(git)
    driver = drivers.installed(git)
    rows = [
        {
            "name": name,
            "installed": name in present,
            "file": str(hooks.hooks_folder(git) / name),
            "summary": git_hooks.SUMMARIES[name],
        }
        for name in git_hooks.HOOKS
    ]
    data = {"hooks": rows, "driver": driver}

    def human() -> str:
        table = [(row["name"], _mark(bool(row["installed"])), row["summary"]) for row in rows]
        table.append(("merge driver", _mark(driver is not None), "merges pointers and locks"))
        return text.table(table, align="lll")

    return ctx.show(data, "mlops.hooks-list/1", human)


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="Which hook: " + ", ".join(git_hooks.HOOKS))],
    arguments: Arguments = None,
) -> int:
    """Do what the hook does; git and the tool pre-commit call this.

    pre-commit answers 1 where it objects. What comes after a checkout or a merge never fails.
    """
    ctx = context.current()
    if name not in git_hooks.HOOKS:
        near = text.nearest(name, git_hooks.HOOKS)
        raise UsageError(
            f"mlops has no hook {name!r}",
            code="unknown-hook",
            hint=f"did you mean: {near}" if near else "mlops hooks list",
        )
    if name == "pre-commit":
        return _guard(ctx)
    if name == "pre-push":
        return _deliver(ctx, arguments or [])
    return _follow(ctx, name, arguments or [])


def _guard(ctx: context.Context) -> int:
    from mlops_cli.cli.guarding import objections

    found = list(objections(ctx, ctx.project()))
    blocked = any(one.blocks for one in found)
    for one in found:
        if not one.blocks:
            ctx.warn(f"{one.name}: {one.reason}: {one.mend}")
    data = {
        "hook": "pre-commit",
        "objections": [
            {
                "name": one.name,
                "kind": one.kind,
                "reason": one.reason,
                "mend": one.mend,
                "blocks": one.blocks,
            }
            for one in found
        ],
        "paths": [],
    }

    def human() -> str:
        lines = []
        for one in found:
            if one.blocks:
                label = text.style(one.kind, "red")
                lines += [f"{label}  {one.name}: {one.reason}", f"  → {one.mend}"]
        if blocked:
            lines.append("Nothing was committed. git commit --no-verify commits all the same.")
        return "\n".join(lines)

    return ctx.show(data, "mlops.hooks-run/1", human, code=1 if blocked else 0)


def _deliver(ctx: context.Context, arguments: list[str]) -> int:
    from mlops_cli.cli.delivering import deliver
    from mlops_cli.vcs.outgoing import Update, parse_updates

    environment = ctx.environment
    ours = False
    if local := environment.get("PRE_COMMIT_TO_REF"):  # the tool pre-commit has read the input
        ref, there = environment.get("PRE_COMMIT_REMOTE_BRANCH", ""), None
        updates = [Update(ref, local, there)]
        remote = environment.get("PRE_COMMIT_REMOTE_NAME", "origin")
    else:
        told = "" if sys.stdin.isatty() else sys.stdin.read()
        updates = parse_updates(told)
        ours = refs.LEDGER in told
        remote = arguments[0] if arguments else "origin"
    paths = deliver(ctx, ctx.project(), updates, remote)
    if updates and not ours:  # git itself is about to send those
        history.send_waiting(ctx, ctx.project().git, remote)
    words = f"Sent the data of {text.count(len(paths), 'path')}." if paths else ""
    return ctx.show(_nothing_against("pre-push", paths), "mlops.hooks-run/1", words)


def _follow(ctx: context.Context, name: str, arguments: list[str]) -> int:
    from mlops_cli.cli.following import follow

    paths = follow(ctx, name, arguments)
    words = f"Brought {text.count(len(paths), 'path')} to what git says." if paths else ""
    return ctx.show(_nothing_against(name, paths), "mlops.hooks-run/1", words)


def _nothing_against(name: str, paths: list[str]) -> dict[str, Any]:
    return {"hook": name, "objections": [], "paths": paths}


def _mark(installed: bool) -> str:
    return text.style("installed", "green") if installed else text.style("not here", "yellow")
