"""Before a commit: what would make it a commit that nobody can reproduce."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_cli.cli.render import text

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.pipeline.planning.plan import Item
    from mlops_cli.pipeline.planning.prospect import Prospect
    from mlops_cli.project import Project
    from mlops_cli.workspace.tracked import Tracked

# data that is not here, or was not brought here, says nothing about what is committed
HARMLESS = ("output-missing", "output-changed", "always", "upstream-stale")


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing against the commit, or worth a warning, with the next command."""

    name: str
    kind: str  # conflict, large, untracked, changed or stale
    reason: str
    mend: str
    blocks: bool


def objections(ctx: Context, project: Project) -> Iterator[Objection]:
    """Yield what is against committing now."""
    from mlops_cli.vcs.staged import staged

    index = ctx.environment.get("GIT_INDEX_FILE")
    env = {"GIT_INDEX_FILE": str(ctx.cwd / index)} if index else None
    changed = staged(project.git, env)
    undecided = list(_undecided(project))
    yield from undecided
    yield from _large(project, changed)
    severity = project.settings.get("hooks.stale")
    if severity != "ignore" and not undecided:  # that can be neither fresh nor stale
        yield from _stale(ctx, project, changed, blocks=severity == "block")


def _undecided(project: Project) -> Iterator[Objection]:
    from mlops_cli.workspace.conflicts import conflicts, reason

    for one in conflicts(project.root, project.git):
        words = reason(project.root, one, project.cache)
        yield Objection(one.name, "conflict", words, one.mend, blocks=True)


def _large(project: Project, changed: Mapping[str, str | None]) -> Iterator[Objection]:
    from mlops_cli.vcs.staged import sizes, untracked_sizes

    limit = int(project.settings.get("hooks.large")) << 20
    if not limit:
        return
    for path, size in sizes(project.git, changed).items():
        if size >= limit:
            words = f"{text.size(size)}, too large for git"
            mend = f"git rm --cached {path} && mlops add {path}"
            yield Objection(path, "large", words, mend, blocks=True)
    for path, size in untracked_sizes(project.git):
        if size >= limit:
            words = f"{text.size(size)}, and nothing keeps it"
            yield Objection(path, "untracked", words, f"mlops add {path}", blocks=False)


def _stale(
    ctx: Context, project: Project, changed: Mapping[str, str | None], *, blocks: bool
) -> Iterator[Objection]:
    from mlops_cli.workspace import tracked

    found = None
    if (project.root / "pipeline.yaml").exists():
        from mlops_cli.pipeline.graph.opening import open_graph
        from mlops_cli.pipeline.planning.parts import RunParts
        from mlops_cli.pipeline.planning.prospect import prospect

        parts = RunParts.of(project, ctx.environment)
        found = prospect(parts, open_graph(project.root, cache=parts.parsed))
    yield from _changed(project, tracked.tracked(project.root, project.git), found, blocks=blocks)
    for item in found.plan.stale if found else ():
        reasons = [one for one in item.because if one.code not in HARMLESS]
        if reasons and found:
            # a step that never ran has no lock that would say anything wrong
            wrong = reasons[0].code != "never-ran" and _touches(changed, item, found)
            yield Objection(
                item.step.name,
                "stale",
                reasons[0].sentence(),
                "mlops run",
                blocks=blocks and wrong,
            )


def _changed(
    project: Project, every: list[Tracked], found: Prospect | None, *, blocks: bool
) -> Iterator[Objection]:
    from mlops_cli.workspace.former import behind
    from mlops_cli.workspace.state import state

    seen = dict(found.world.paths) if found else {}
    for path in found.world.absent if found else ():
        seen.pop(path, None)
    unsure = [one for one in every if one.step is None and seen.get(one.path) != one.digest]
    rows = state(project.root, unsure, cache=project.cache, stats=project.stats)
    old = behind(project.git, rows)
    for row in rows:
        path = row.tracked.path
        if path in old:
            words, mend = old[path]
            edited = not mend.startswith("mlops checkout")
            yield Objection(path, "changed", words, mend, blocks=blocks and edited)
        elif row.state == "modified":
            mend = f"mlops add {path}, or mlops checkout {path}"
            yield Objection(path, "changed", row.reason, mend, blocks=blocks)


def _touches(changed: Iterable[str], item: Item, found: Prospect) -> bool:
    """Tell whether the commit changes anything that the step depends on, or its lock."""
    from mlops_cli.pipeline.globs import is_glob, matches

    step = item.step
    names = {"pipeline.yaml", f".mlops/lock/{step.name}.json", *step.deps}
    names |= {ref.partition(":")[0] for ref in step.params}
    names |= set(found.world.code.get(step.name, {}))
    if any(one.code == "environment-changed" for one in item.because):
        from mlops_cli.pipeline.keys.environment import lock_of

        names.add(lock_of(step.environment or found.graph.env) or "")
    return any(
        path in names
        or path.removesuffix(".mlops") in names
        or any(matches(dep, path.removesuffix(".mlops")) for dep in step.deps if is_glob(dep))
        or any(path.startswith(f"{dep}/") for dep in step.deps)
        for path in changed
    )
