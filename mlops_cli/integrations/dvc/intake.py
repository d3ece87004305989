"""The whole of an import: data, steps, remotes and ignored names of one DVC repository."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.integrations.dvc import elsewhere, splice, steps, take
from mlops_cli.integrations.dvc.lower import Lowered, lower
from mlops_cli.integrations.dvc.outs import Refused
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.integrations.dvc.survey import Survey
from mlops_cli.workspace.ignore import NAME as IGNORE

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

IGNORED_BY_DVC = ".dvcignore"


@dataclass(frozen=True, slots=True)
class NewRemote:
    """A remote for the settings: where mlops keeps its own beside what DVC has."""

    name: str
    url: str
    settings: Mapping[str, str]
    default: bool


@dataclass(slots=True)
class Agenda:
    """What there is to do besides the data. `steps` are new, `text` is pipeline.yaml with them."""

    steps: list[Lowered] = field(default_factory=list)
    kept: list[Lowered] = field(default_factory=list)  # stand in pipeline.yaml already
    text: str | None = None
    remotes: list[NewRemote] = field(default_factory=list)
    ignores: list[tuple[str, str]] = field(default_factory=list)  # path, text
    rows: list[Row] = field(default_factory=list)


def agenda(project: Path, found: Survey, *, known_remotes: Iterable[str]) -> Agenda:
    """Return what there is to do besides the data; nothing is changed.

    Raises ConfigError ("cannot-edit", and what reading pipeline.yaml raises).
    """
    made = Agenda(rows=list(found.rows))
    _steps(project, found, made)
    known = set(known_remotes)
    for name, remote in found.repository.remotes.items():
        if not elsewhere.readable(remote):
            protocol = remote.url.partition("://")[0]
            why = f"mlops has no way to {protocol}:// places"
            made.rows.append(Row("remote", name, "refused", why))
            continue
        if not name.replace("-", "").replace("_", "").isalnum():
            made.rows.append(Row("remote", name, "refused", "the name has other than A-Za-z0-9_-"))
            continue
        if name in known:
            made.rows.append(Row("remote", name, "unchanged", "there is one of that name"))
            continue
        settings = {key: _word(value) for key, value in elsewhere.options(remote).items()}
        url = elsewhere.ours(remote, project)
        default = name == found.repository.default and not known
        made.remotes.append(NewRemote(name, url, settings, default))
        left_out = sorted(set(remote.options) - set(elsewhere.OPTIONS) - {"allow_anonymous_login"})
        why = f"not taken over: {', '.join(left_out)}" if left_out else ""
        made.rows.append(Row("remote", name, "imported", "; ".join(filter(None, [url, why]))))
    for file in found.ignores:
        target = file.removesuffix(IGNORED_BY_DVC) + IGNORE
        text = (project / file).read_text(encoding="utf-8", errors="replace")
        if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
            continue
        if (project / target).exists():
            same = (project / target).read_text(encoding="utf-8", errors="replace") == text
            why = "" if same else f"{target} says something else"
            made.rows.append(Row("ignore", file, "unchanged", why))
        else:
            made.ignores.append((target, text))
            made.rows.append(Row("ignore", file, "imported", f"as {target}"))
    return made


def _steps(project: Path, found: Survey, made: Agenda) -> None:
    if not found.stages:
        return
    try:
        text = (project / splice.FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = splice.new(project.resolve().name)
    present: Mapping[str, Any] = splice.steps_of(text)
    for one in lower(project, found.stages, found.metrics):
        if isinstance(one, Refused):
            made.rows.append(Row("step", one.name, "refused", one.why))
        elif one.name not in present:
            made.steps.append(one)
        elif present[one.name] == splice.as_read(one.definition):
            made.kept.append(one)
        else:
            why = f"pipeline.yaml has another step {one.name}"
            made.rows.append(Row("step", one.name, "refused", why))
    made.text = splice.splice(text, {one.name: one.definition for one in made.steps})


def carry_out(
    project: Path,
    git: Git,
    found: Survey,
    made: Agenda,
    taken: take.Taken,
    *,
    parts: steps.Parts,
) -> list[Row]:
    """Write pipeline.yaml, locks and .mlopsignore; the remotes are the caller's to write."""
    from mlops_cli.pipeline.graph.opening import open_graph
    from mlops_cli.pipeline.running.conclude import ignore_outputs

    rows = list(made.rows)
    for target, text in made.ignores:
        fsio.write_atomic(project / target, text)
    lowered = [*made.steps, *made.kept]
    if not lowered:
        return rows
    before = _former(project)
    if made.steps and made.text is not None:
        fsio.write_atomic(project / splice.FILE, made.text)
    try:
        graph = open_graph(project, cache=parts.cache.root / "parsed")
    except (ConfigError, NotFound):
        _restore(project, before)
        raise
    ignore_outputs(git, project, [graph.steps[one.name] for one in lowered])
    rows += steps.write_locks(
        graph,
        lowered,
        locked=found.locks,
        outs={out.path: out for out in found.outs},
        stored=taken.stored,
        parts=parts,
    )
    return rows


def _former(project: Path) -> bytes | None:
    try:
        return (project / splice.FILE).read_bytes()
    except FileNotFoundError:
        return None


def _restore(project: Path, before: bytes | None) -> None:
    if before is None:
        (project / splice.FILE).unlink(missing_ok=True)
    else:
        fsio.write_atomic(project / splice.FILE, before)


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many things came to each state."""
    return dict(Counter(row.state for row in rows))


def _word(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
