"""`mlops explain STEP`: what the step depends on, and the first thing that differs, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, sharing
from mlops_cli.cli.render import text
from mlops_cli.experiments.why import part_of
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.keys import params
from mlops_cli.pipeline.planning.contrast import Contrast, contrast
from mlops_cli.pipeline.planning.detail import detailed
from mlops_cli.pipeline.planning.prospect import Prospect, prospect

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.plan import Item

FATE = {
    "skip": "up to date",
    "run": "stale, and would run",
    "restore": "stale, and would be restored from the run cache",
    "blocked": "stale, and cannot run",
}


def command(
    step: Annotated[str, typer.Argument(help="A step, or a path that a step makes.")],
    all_parts: Annotated[
        bool, typer.Option("-a", "--all", help="Show every part of the key.")
    ] = False,
    against: Annotated[
        str | None, typer.Option("--against", metavar="REV", help="Compare with that commit.")
    ] = None,
) -> int:
    """Say whether a step is stale, and the first part of its key that differs.

    A key is made of the command or section, params, code, inputs, environment and variables;
    --all shows them as they are now. --against compares them with those that the lock of the step
    had at a commit, branch or tag.
    """
    ctx = context.current()
    project = ctx.project()
    parts = sharing.parts(ctx, project, offline=True)
    graph = open_graph(project.root, cache=parts.parsed, now=ctx.now())
    name = graph.name(step)
    found = prospect(parts, graph, [name])
    item = next((one for one in found.plan.items if one.step.name == name), None)
    because = list(item.because) if item else []
    because = [detailed(reason, project.root, project.cache, project.stats) for reason in because]
    lock = found.locks.get(name)
    since = contrast(found, name, project.git, against) if against and item else None
    now = item.key.parts if item and item.key else None
    data = {
        "step": name,
        "kind": graph.steps[name].kind,
        "action": item.action if item else "action",
        "because": [reason.as_json() for reason in because],
        "before": [
            {"step": one.step.name, "action": one.action}
            for one in found.plan.items
            if one.step.name != name
        ],
        "key": item.key.digest if item and item.key else None,
        "locked_key": lock.key if lock else None,
        "parts": now or (lock.parts if lock else None),
        "outs": list(graph.steps[name].outs),
        "against": since and _since_json(since),
    }

    def human() -> str:
        if since is None:
            return _screen(name, item, because, found, all_parts)
        return _since_screen(name, str(against), since)

    return ctx.show(data, "mlops.explain/1", human)


def _since_json(since: Contrast) -> dict[str, Any]:
    return {
        "commit": since.commit,
        "key": since.then.key,
        "because": [{**reason.as_json(), "part": part_of(reason)} for reason in since.because],
        "outputs": [
            {"path": path, "then": then, "now": now} for path, (then, now) in since.outputs.items()
        ],
        "later": list(since.later),
    }


def _since_screen(name: str, revision: str, since: Contrast) -> str:
    count = len(since.because)
    differs = f"differs in {text.count(count, 'way')} from" if count else "is made as it was at"
    lines = [f"{text.style(name, 'bold')} {differs} {revision}."]
    rows = [(str(part_of(reason)), reason.sentence()) for reason in since.because]
    rows += [
        ("output", f"{path} {text.short(then or 'nothing')} → {text.short(now or 'nothing')}")
        for path, (then, now) in since.outputs.items()
    ]
    if rows:
        lines.append(text.table(rows, indent="  "))
    if since.later:
        lines.append(f"  What it reads from {', '.join(since.later)} is known when they have run.")
    return "\n".join(lines)


def _screen(
    name: str, item: Item | None, because: list[Any], found: Prospect, all_parts: bool
) -> str:
    if item is None:
        kind = found.graph.steps[name].kind
        return f"{name} is an action ({kind}): it runs only when named, mlops run {name}"
    lines = [f"{text.style(name, 'bold')} is {FATE[item.action]}."]
    if because:
        lines.append(f"  because {because[0].sentence()}")
        lines += [f"      and {reason.sentence()}" for reason in because[1:]]
    root = [one for one in found.plan.items if one.stale and _is_root(one)]
    if item.stale and item not in root and root:
        lines.append("  It starts with")
        lines += [f"    {one.step.name}: {one.because[0].sentence()}" for one in root]
    if all_parts:
        lines += ["", *_parts(name, item, found)]
    elif item.stale:
        lines.append(text.style("  → mlops run " + name, "cyan"))
    return "\n".join(lines)


def _is_root(item: Item) -> bool:
    return bool(item.because) and item.because[0].code != "upstream-stale"


def _parts(name: str, item: Item, found: Prospect) -> list[str]:
    lock = found.locks.get(name)
    parts = item.key.parts if item.key else lock.parts if lock else {}
    rows: list[tuple[str, str]] = [("command", line) for line in parts.get("cmd", [])]
    for reference, value in parts.get("params", {}).items():
        rows += [(f"param {key}", str(one)) for key, one in params.flat(reference, value).items()]
    for path, units in parts.get("code", {}).items():
        rows.append(("code", f"{path}: {', '.join(units or ())}"))
    for path, digest in parts.get("inputs", {}).items():
        rows.append(("input", f"{path} {text.short(digest)}"))
    for word, value in parts.get("environment", {}).items():
        rows.append(("environment", f"{word} {text.short(value)}"))
    for variable in parts.get("variables", {}):
        rows.append(("variable", variable))
    for path in parts.get("outs", []):
        rows.append(("output", path))
    return [text.table(rows, indent="  ")]
