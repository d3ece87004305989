"""`mlops deploy`: what is served, what would be, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import deployments, text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.serving import deploy, environment
from mlops_cli.serving.deploy import Deployed
from mlops_cli.serving.parts import Parts, open_parts, open_target
from mlops_cli.serving.target import Running

if TYPE_CHECKING:
    from mlops_cli.pipeline.model.serving import Deployment

app = typer.Typer(help="Plan, apply and roll back deployments.")

Name = Annotated[
    str | None, typer.Argument(help="The deployment; may be left out where there is one.")
]
Force = Annotated[bool, typer.Option("--force", help="Deploy even a version that was rolled back.")]
Check = Annotated[bool, typer.Option("--check", help="Answer 1 when one does not run as desired.")]


@app.command("plan")
def plan(name: Name = None, force: Force = False) -> int:
    """Say what `apply` would change and why; change nothing."""
    ctx = context.current()
    parts = _parts()
    chosen, deployment = _deployment(parts, name)
    made = deploy.plan_for(parts, chosen, deployment, force=force)
    return ctx.show(made.to_plain(), "mlops.deploy-plan/1", lambda: deployments.plan(made))


@app.command("apply")
def apply(name: Name = None, force: Force = False) -> int:
    """Serve what pipeline.yaml and the aliases ask for, without dropping a request."""
    ctx = context.current()
    parts = _parts()
    chosen, deployment = _deployment(parts, name)
    done = deploy.apply(parts, chosen, deployment, force=force)
    return ctx.show(_done(done), "mlops.deploy-apply/1", lambda: deployments.done(done))


@app.command("rollback")
def rollback(
    name: Name = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "by hand",
) -> int:
    """Serve the version before this one again, and hold this one back."""
    ctx = context.current()
    parts = _parts()
    done = deploy.roll_back(parts, _known(parts, name), reason=reason)
    return ctx.show(_done(done), "mlops.deploy-rollback/1", lambda: deployments.done(done))


@app.command("stop")
def stop(name: Name = None) -> int:
    """End the server; git goes on knowing what it shall serve."""
    ctx = context.current()
    parts = _parts()
    chosen = _known(parts, name)
    stopped = deploy.stop(parts, chosen)
    sentence = f"Stopped the server of {chosen}." if stopped else f"No server of {chosen} ran."
    data = {"environment": chosen, "stopped": stopped}
    return ctx.show(data, "mlops.deploy-stop/1", sentence)


@app.command("status")
def status(name: Name = None, check: Check = False) -> int:
    """Tell what each environment serves, asked of the servers themselves."""
    ctx = context.current()
    parts = _parts()
    names = [_known(parts, name)] if name else environment.names(parts.root)
    found = [_status(parts, item) for item in names]
    bad = any(item["state"] != "running" or not item["as_desired"] for item in found)
    return ctx.show(
        {"environments": found},
        "mlops.deploy-status/1",
        lambda: deployments.status(found),
        code=1 if check and bad else 0,
    )


@app.command("logs")
def logs(
    name: Name = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="How many.")] = 50,
) -> int:
    """Print the last lines that the server wrote."""
    ctx = context.current()
    parts = _parts()
    chosen = _known(parts, name)
    present = environment.read(parts.root, chosen)
    kind = present.target.kind if present else "local"
    tail = list(open_target(parts.root, kind).tail(chosen, lines))
    data = {"environment": chosen, "lines": tail}
    return ctx.show(data, "mlops.deploy-logs/1", "\n".join(tail) or "The log is empty.")


@app.command("history")
def history(
    name: Name = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many.")] = 20,
) -> int:
    """List what was deployed, rolled back and stopped, newest first."""
    from mlops_cli.ledger.index import open_index

    ctx = context.current()
    parts = _parts()
    with open_index(parts.git) as index:
        events = [
            {"record": str(record.digest)} | {field: record[field] for field in _EVENT}
            for record in index.newest("deployment")
            if name is None or record["environment"] == name
        ][:limit]

    def human() -> str:
        rows = [
            (e["time"][:19], e["environment"], e["action"], f"{e['model']} v{e['version']}",
             e["actor"].partition(" <")[0], e["reason"] or "") for e in events
        ]  # fmt: skip
        heads = ("time", "environment", "action", "model", "by", "why")
        return text.table(rows, heads) if rows else "Nothing was ever deployed."

    return ctx.show({"events": events}, "mlops.deploy-history/1", human)


_EVENT = (
    "time",
    "environment",
    "action",
    "model",
    "version",
    "digest",
    "former",
    "actor",
    "reason",
)


def _parts() -> Parts:
    ctx = context.current()
    return open_parts(ctx.project(), now=ctx.now, progress=ctx.progress)


def _deployment(parts: Parts, name: str | None) -> tuple[str, Deployment]:
    from mlops_cli.pipeline.reading.load import load

    known = load(parts.root).deployments
    chosen = name or _only(list(known), "pipeline.yaml has no deployments")
    if chosen not in known:
        raise NotFound(
            f"pipeline.yaml has no deployment {chosen!r}",
            code="unknown-deployment",
            hint=f"deployments: {', '.join(known) or 'none yet'}",
        )
    return chosen, known[chosen]


def _known(parts: Parts, name: str | None) -> str:
    return name or _only(environment.names(parts.root), "nothing was ever deployed")


def _only(names: list[str], none: str) -> str:
    if not names:
        raise NotFound(none, code="unknown-environment", hint="mlops deploy plan")
    if len(names) > 1:
        raise UsageError(
            "there are several deployments; name one",
            code="missing-argument",
            hint=f"deployments: {', '.join(names)}",
        )
    return names[0]


def _done(done: Deployed) -> dict[str, Any]:
    return done.plan.to_plain() | {
        "url": done.running.url,
        "pid": done.running.pid,
        "record": done.record,
        "commit": done.commit,
    }


def _status(parts: Parts, name: str) -> dict[str, Any]:
    running = deploy.look(parts, name)
    present = environment.read(parts.root, name)
    assert present is not None
    answer = running.answer or {}
    return {
        "environment": name,
        "state": running.state,
        "pid": running.pid,
        "url": running.url,
        "model": present.champion.model,
        "version": present.champion.version,
        "digest": present.champion.digest,
        "since": present.since,
        "started": running.started,
        "served_version": answer.get("version"),
        "as_desired": _as_desired(running, present.champion.digest),
        "requests": running.requests,
        "challengers": [
            {"model": c.pinned.model, "version": c.pinned.version, "mode": c.mode, "share": c.share}
            for c in present.challengers
        ],
    }


def _as_desired(running: Running, digest: str) -> bool:
    return running.answer is not None and running.answer.get("digest") == digest
