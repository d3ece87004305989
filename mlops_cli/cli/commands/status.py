"""`mlops status`: three answers on one screen; each row has its reason and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, protecting
from mlops_cli.cli.render import text

if TYPE_CHECKING:
    from datetime import datetime

    from mlops_cli.pipeline.planning.plan import Item
    from mlops_cli.pipeline.planning.prospect import Prospect
    from mlops_cli.project import Project
    from mlops_cli.workspace import state
    from mlops_cli.workspace.sync import Outstanding
    from mlops_cli.workspace.tracked import Tracked

SHOWN = 12  # rows of a section on the screen; --json has all
FILES = 5  # names under a row
MARKS = {"added": "+", "modified": "~", "deleted": "-"}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is not clean."""

    name: str
    state: str
    reason: str
    mend: str
    changed: tuple[tuple[str, str], ...] = ()  # kind and path of the first files that differ
    more: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "mend": self.mend,
            "changed": [{"kind": kind, "path": path} for kind, path in self.changed],
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the three: how it stands in a sentence, and the rows that are not clean."""

    title: str
    sentence: str
    rows: tuple[Row, ...]

    @property
    def clean(self) -> bool:
        return not self.rows

    def as_json(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "sentence": self.sentence,
            "rows": [row.as_json() for row in self.rows],
        }


def command(
    check: Annotated[
        bool, typer.Option("--check", help="Answer 1 when anything is not clean.")
    ] = False,
) -> int:
    """Say what is stale, what differs from git, and what is not in cache and remote, and why.

    Asks no network: the remote is as the last push or pull left it.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    found = _prospect(project, ctx.environment, ctx.now())
    tracked = _tracked(project)
    answers = {
        "pipeline": _pipeline(project, found),
        "workspace": _workspace(project, tracked, found, _undecided(project, tracked)),
        "storage": _storage(project, tracked),
    }
    clean = all(answer.clean for answer in answers.values())
    data = {"clean": clean} | {name: answer.as_json() for name, answer in answers.items()}
    code = 1 if check and not clean else 0
    return ctx.show(data, "mlops.status/1", lambda: screen(list(answers.values())), code=code)


def _prospect(project: Project, environ: Any, now: datetime) -> Prospect | None:
    if not (project.root / "pipeline.yaml").exists():
        return None
    from mlops_cli.pipeline.graph.opening import open_graph
    from mlops_cli.pipeline.planning.parts import RunParts
    from mlops_cli.pipeline.planning.prospect import prospect

    parts = RunParts.of(project, environ)
    return prospect(parts, open_graph(project.root, cache=parts.parsed, now=now))


def _tracked(project: Project) -> list[Tracked]:
    from mlops_cli.workspace.tracked import tracked

    return tracked(project.root, project.git)


def _pipeline(project: Project, found: Prospect | None) -> Answer:
    title = "code and params"
    if found is None:
        return Answer(title, "There is no pipeline.yaml; mlops init writes one.", ())
    from mlops_cli.pipeline.planning.prospect import busy

    stale = found.plan.stale
    count = len(found.plan.items)
    if not stale:
        return Answer(title, f"{text.count(count, 'step')}, all up to date.", ())
    sentence = f"{len(stale)} of {text.count(count, 'step')} stale."
    if restorable := sum(item.action == "restore" for item in stale):
        sentence += f" {restorable} can be restored without running."
    if busy(project.root):
        sentence += " A run is under way."
    return Answer(title, sentence, tuple(_stale(item, project) for item in stale))


def _stale(item: Item, project: Project) -> Row:
    reason = item.because[0]
    mend = "mlops run"
    if reason.code == "input-missing":
        mend = f"put {getattr(reason, 'path', 'it')} there"
    elif item.action == "run" and _elsewhere(project) and _is_gone(item):
        mend = "mlops pull"
    more = f" (and {len(item.because) - 1} more)" if len(item.because) > 1 else ""
    state = {"run": "stale", "restore": "restorable", "blocked": "blocked"}[item.action]
    return Row(item.step.name, state, reason.sentence() + more, mend)


def _is_gone(item: Item) -> bool:
    return any(one.code == "output-missing" for one in item.because)


def _elsewhere(project: Project) -> bool:
    return bool(project.settings.group("remotes"))


def _undecided(project: Project, tracked: list[Tracked]) -> list[Row]:
    from mlops_cli.workspace.conflicts import conflicts, reason

    sources = [one.source for one in tracked]
    return [
        Row(one.name, "undecided", reason(project.root, one, project.cache), one.mend)
        for one in conflicts(project.root, project.git, sources)
    ]


def _workspace(
    project: Project, tracked: list[Tracked], found: Prospect | None, rows: list[Row]
) -> Answer:
    """Hold the workspace against the pointers; what the plan has just hashed is not read again.

    `rows` are what a merge left undecided.
    """
    title = "data in the workspace"
    undecided = {row.name for row in rows}
    pointers = [one for one in tracked if one.step is None and one.path not in undecided]
    if not pointers and not rows:
        return Answer(title, "Nothing is tracked yet; mlops add PATH does that.", ())
    seen = dict(found.world.paths) if found else {}
    for path in found.world.absent if found else ():
        seen.pop(path, None)
    unsure = [one for one in pointers if seen.get(one.path) != one.digest]
    if unsure:
        from mlops_cli.workspace.state import state

        looked = state(project.root, unsure, cache=project.cache, stats=project.stats)
        rows += _differing(project, [row for row in looked if not row.clean])
    if not rows:
        return Answer(title, f"{text.count(len(pointers), 'tracked path')}, as git says.", ())
    many = text.count(len(pointers) + len(undecided), "tracked path")
    return Answer(title, f"{len(rows)} of {many} not as git says.", tuple(rows))


def _differing(project: Project, looked: list[state.Row]) -> list[Row]:
    if not looked:
        return []
    from mlops_cli.workspace.former import behind

    old = behind(project.git, looked)
    rows = []
    for row in looked:
        path, files = row.tracked.path, tuple((one.kind, one.path) for one in row.changed or ())
        if path in old:
            rows.append(Row(path, "behind", *old[path], files, row.more))
        else:
            rows.append(Row(path, row.state, row.reason, row.mend, files, row.more))
    return rows


def _storage(project: Project, tracked: list[Tracked]) -> Answer:
    title = "data in cache and remote"
    if not tracked:
        return Answer(title, "There is nothing to keep yet.", ())
    from mlops_cli.workspace.remotes import recall, remotes
    from mlops_cli.workspace.sync import outstanding

    known = remotes(project.settings)
    named = next((one for one in known if one.default), None)
    indexes = {one.name: recall(one, project.root, project.cache.root) for one in known}
    index = indexes[named.name] if named else None
    standing = outstanding(project.cache, tracked, index, indexes)
    rows = tuple(
        Row(
            row.tracked.path,
            "not pushed" if row.cached else "not cached",
            row.reason,
            row.mend,
        )
        for row in standing.rows
        if not row.clean
    )
    where = _where(named.name if named else None, standing)
    if not rows:
        return Answer(title, f"{text.count(len(tracked), 'path')} in the cache{where}", ())
    sentence = f"{len(rows)} of {text.count(len(tracked), 'path')} incomplete{where}"
    return Answer(title, sentence, rows)


def _where(name: str | None, standing: Outstanding) -> str:
    if name is None:
        return "; there is no remote."
    if standing.refreshed is None:
        return f"; {name} was not asked yet, mlops push does."
    return f"; {name} was asked {standing.refreshed:%Y-%m-%d %H:%M}."


def screen(answers: list[Answer]) -> str:
    """Return the three answers as a person reads them."""
    lines: list[str] = []
    for answer in answers:
        mark = text.style("clean", "green") if answer.clean else text.style("not clean", "yellow")
        lines.append(f"{text.style(answer.title, 'bold')}: {mark}")
        lines.append(f"  {answer.sentence}")
        if rows := answer.rows[:SHOWN]:
            lines.append(_rows(rows))
        if len(answer.rows) > SHOWN:
            lines.append(f"  … and {len(answer.rows) - SHOWN} more; mlops status --json has all.")
        lines.append("")
    return "\n".join(lines).rstrip()


def _rows(rows: Sequence[Row]) -> str:
    """Return rows of name and reason, and each mending command once, under the rows it mends."""
    lines: list[str] = []
    width = min(30, max(len(row.name) for row in rows))
    for n, row in enumerate(rows):
        lines.append(f"    {row.name:<{width}}  {row.reason}")
        lines += [f"      {MARKS[kind]} {path}" for kind, path in row.changed[:FILES]]
        if len(row.changed) > FILES or row.more:
            count = "more" if row.more else f"{len(row.changed) - FILES} more"
            lines.append(f"      … {count}; mlops diff {row.name} has all")
        if n + 1 == len(rows) or rows[n + 1].mend != row.mend:
            lines.append("      " + text.style(f"→ {row.mend}", "cyan"))
    return "\n".join(lines)
