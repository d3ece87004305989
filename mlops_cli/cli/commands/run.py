"""`mlops run`: bring steps up to date, record every attempt, commit once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, sharing
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.running.execute import RunResult

if TYPE_CHECKING:
    from mlops_cli.config import Settings
    from mlops_cli.pipeline.planning.plan import Item
    from mlops_cli.project import Project

WORDS = {"run": "run", "restore": "restore", "skip": "fresh", "blocked": "blocked"}


def command(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Steps, or paths that steps make; all when left out.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Steps at once; 0: one a core.")
    ] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("-S", "--set", help="Elsewhere, with KEY=VALUE; with KEY=A,B once for each."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be done.")
    ] = False,
    only: Annotated[
        bool, typer.Option("--only", help="Run nothing but these; what comes before must stand.")
    ] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Run nothing: all must stand or be in the run cache.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Run them though nothing changed.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("-k", "--keep-going", help="After a failure, run what does not need it.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask servers again about URLs that steps read.")
    ] = False,
    partition: Annotated[
        str | None,
        typer.Option("--partition", help="Only these partitions: A, A..B, A.., ..B."),
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull", help="Take from the remote what other clones have run.")
    ] = False,
    push: Annotated[
        bool, typer.Option("--push", help="Send data, commit and records to the git remote.")
    ] = False,
    no_commit: Annotated[
        bool, typer.Option("--no-commit", help="Leave the locks uncommitted.")
    ] = False,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Leave outputs in the workspace, out of the cache.")
    ] = False,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Let commands see only what their steps declare."),
    ] = False,
) -> int:
    """Run the stale steps, in order and in parallel, and commit their locks.

    A step that made the same before is restored from the run cache. Register, deploy and monitor
    act on the world, so they run only when named: mlops run register.delay

    With --push the branch goes to the git remote, on top of what others pushed meanwhile.

    With -S it is an experiment: params of your choice, in a scratch tree, your own untouched.
    """
    ctx = context.current()
    if changes:
        from mlops_cli.cli import experimenting

        others = (
            dry_run,
            only,
            cached,
            force,
            keep_going,
            refresh,
            partition,
            pull,
            push,
            no_commit,
        )
        if any((*others, no_store, sandbox)):
            raise UsageError(
                "an experiment with -S takes steps and -j, nothing else",
                code="bad-options",
                hint="mlops run -S train.lr=0.1",
            )
        return experimenting.of_run(changes, targets or [], jobs=jobs or 1)
    project = ctx.project()
    remote = _remote(project, dry_run or no_commit or no_store) if push else None
    parts = sharing.parts(ctx, project, pull=pull)
    graph = open_graph(project.root, cache=parts.parsed, now=ctx.now())
    named = [name for word in targets or () for name in graph.named(word)]
    if partition:
        every = [name for name, step in graph.steps.items() if step.partition]
        named = graph.partitions(named or every, partition)
    if only or cached:
        from mlops_cli.pipeline.planning.only import only as narrow

        if (only and (cached or not named)) or (cached and force):
            raise UsageError(
                "--only takes the names of steps, --cached runs none",
                code="bad-options",
                hint="mlops run train.delay --only",
            )
        graph = narrow(parts, graph, named or None, run=named if only else (), refresh=refresh)
    result = execute.run(
        parts,
        graph,
        named or None,
        now=ctx.now,
        jobs=jobs or int(ctx.settings.get("run.jobs")) or execute.default_jobs(),
        dry_run=dry_run,
        force=force,
        keep_going=keep_going,
        refresh=refresh,
        commit=not no_commit,
        machine=machine(ctx.settings),
        warm=ctx.settings.get("run.warm"),
        sandbox=sandbox,
        store=not no_store,
        progress=ctx.progress,
    )
    actions = [name for name in named if graph.steps[name].action]
    acted = [] if dry_run else [act(project, graph, name) for name in actions]
    data = as_json(result, dry_run=dry_run) | {"actions": acted}
    if remote is not None:
        from mlops_cli.cli.landing import land

        data["pushed"] = land(ctx, project, remote)
    return ctx.show(data, "mlops.run/1", lambda: screen(result, acted, dry_run=dry_run))


def _remote(project: Project, unwritten: bool) -> str:
    """Return where --push sends to, before anything runs."""
    from mlops_cli.cli.landing import remote_for

    if unwritten:
        raise UsageError(
            "--push sends what was committed and stored",
            code="bad-options",
            hint="leave out --dry-run, --no-commit and --no-store",
        )
    return remote_for(project)


def machine(settings: Settings) -> dict[str, int | None]:
    """Return what the settings say of this machine, for steps that ask for resources."""
    from mlops_cli import quantities

    mem = settings.get("run.mem")
    return {
        "cpus": settings.get("run.cpus"),
        "gpus": settings.get("run.gpus"),
        "mem": quantities.size(mem) if mem else None,
    }


def act(project: Any, graph: Graph, name: str) -> dict[str, Any]:
    """Do what the action `name` stands for: the same function that its own command calls."""
    from mlops_cli import plugins

    ctx = context.current()
    step = graph.steps[name]
    action = plugins.load("mlops.actions", step.kind)
    facts = action(project, step.config["name"], now=ctx.now, progress=ctx.progress)
    return {"step": name, "facts": dict(facts)}


def as_json(result: RunResult, *, dry_run: bool) -> dict[str, Any]:
    """Return what was done, or would be, as plain values."""
    return {
        "run": result.run_id or None,
        "dry_run": dry_run,
        "commit": result.commit,
        "steps": [_step(item, result) for item in result.items],
    }


def _step(item: Item, result: RunResult) -> dict[str, Any]:
    name = item.step.name
    return {
        "step": name,
        "kind": item.step.kind,
        "action": item.action,
        "did": result.did.get(name),
        "key": item.key.digest if item.key else None,
        "because": [reason.as_json() for reason in item.because],
        "seconds": result.seconds.get(name),
        "metrics": dict(result.metrics.get(name, {})),
        "record": result.records.get(name),
    }


def screen(result: RunResult, acted: list[dict[str, Any]], *, dry_run: bool) -> str:
    """Return what a person reads."""
    lines: list[str] = []
    stale = [item for item in result.items if item.stale]
    if dry_run and stale:
        rows = [
            (item.step.name, WORDS[item.action], item.because[0].sentence() if item.because else "")
            for item in stale
        ]
        lines.append(text.table(rows, ("step", "would", "because")))
    elif result.did:
        counts = {
            word: list(result.did.values()).count(word) for word in ("ran", "restored", "shared")
        }
        same = list(result.did.values()).count("unchanged")
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        parts += [f"{same} unchanged"] if same else []
        where = f" Committed as {result.commit[:10]}" if result.commit else ""
        lines.append(f"{text.count(len(result.did), 'step')}: {', '.join(parts)}.{where}")
    if not stale and not result.did and not acted:
        lines.append(f"Nothing to do: {text.count(len(result.items), 'step')} up to date.")
        if result.commit:
            lines.append(f"Committed what an earlier run made as {result.commit[:10]}")
    lines += [item["facts"].get("sentence") or f"{item['step']} done." for item in acted]
    return "\n".join(lines)
