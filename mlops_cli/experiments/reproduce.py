"""A reproduction: the steps run again where nothing of before is, and what comes out is compared.

Nothing of it is remembered: it has a work tree and a cache of its own, and tells no ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.experiments.judge import Judged, Verdict, detailed, judge
from mlops_cli.experiments.place import bring, bring_outputs, elsewhere, patch
from mlops_cli.experiments.recorded import Recorded
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.repo import Git, Identity

if TYPE_CHECKING:
    from mlops_cli.pipeline.runner import Clock
    from mlops_cli.project import Project


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The answer; `steps` are in the order in which they ran."""

    of: Recorded
    steps: tuple[Judged, ...]
    restored: tuple[str, ...] = ()  # frozen steps, whose outputs were taken as they are
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The worst of the steps."""
        found = {one.verdict for one in self.steps}
        words: tuple[Verdict, ...] = ("differs", "within tolerance")
        return next((word for word in words if word in found), "identical")

    @property
    def first(self) -> Judged | None:
        """The first step that differs."""
        return next((one for one in self.steps if one.verdict == "differs"), None)


class Unnamed(Git):
    """A git that asks for no name: nothing is committed, and nobody is told who reproduced."""

    def identity(self) -> Identity:
        return Identity("nobody", "")


@dataclass(slots=True)
class Aside:
    """Stands in for the ledger: what is told is heard here and goes no further."""

    records: list[Record] = field(default_factory=list)

    @property
    def told(self) -> dict[str, Record]:
        """The last record of each step."""
        return {str(record["step"]): record for record in self.records}

    def spool(self, record: Record) -> Digest:
        self.records.append(record)
        return record.digest

    def flush(self) -> list[Digest]:
        return []


def reproduce(
    project: Project,
    wanted: Recorded,
    environ: Mapping[str, str],
    *,
    only: Sequence[str] = (),
    now: Clock,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> Reproduction:
    """Run again what `wanted` tells of, from its commit alone, and hold the outcome against it.

    `only` names the steps that are wanted, with those before them; all when empty.

    Raises NotFound ("missing-input", "no-remote", "missing-object"), ConfigError and what else
    keeps steps from running; a step that fails is an answer, not an error.
    """
    with elsewhere(project, wanted.commit, isolated=True) as there:
        if wanted.patch:
            patch(project, there, wanted.patch)
        began = now()
        aside = Aside()
        parts = replace(RunParts.of(there, environ), git=Unnamed(there.root), ledger=aside)

        def run(graph: Graph, names: list[str]) -> None:
            execute.run(
                parts,
                graph,
                names,
                now=now,
                jobs=jobs,
                force=True,
                keep_going=True,
                commit=False,
                progress=progress,
            )

        graph, names = _run_all(project, there, wanted, only, aside, run, now, progress)
        told = aside.told
        done = [name for name, record in told.items() if record["status"] == "done"]
        made = locks.read_locks(there.root, done)
        steps: dict[str, Judged] = {}
        for name in names:
            if expected := wanted.steps.get(name):
                steps[name] = judge(
                    graph, graph.steps[name], expected, made.get(name), told.get(name), steps
                )
        judged = tuple(detailed(one, there.cache) for one in steps.values())
        frozen = tuple(_frozen(graph, wanted, only))
        return Reproduction(wanted, judged, frozen, (now() - began).total_seconds())


def _run_all(
    project: Project,
    there: Project,
    wanted: Recorded,
    only: Sequence[str],
    aside: Aside,
    run: Callable[[Graph, list[str]], None],
    now: Clock,
    progress: Progress,
) -> tuple[Graph, list[str]]:
    """Run until nothing is left: what steps make may say that there are more of them.

    Returns the graph as it was in the end, and the steps that are to be judged.
    """
    heard, failed = -1, False
    while True:
        graph = _settled(open_graph(there.root, cache=project.cache.root / "parsed", now=now()))
        _recall_parents(there, graph, wanted)
        frozen = _frozen(graph, wanted, only)
        every = _steps(graph, wanted, only)
        names = [name for name in every if name not in frozen]
        left = [name for name in names if name not in aside.told]
        if not left or failed or heard == len(aside.told):
            return graph, names
        heard = len(aside.told)
        bring(project, there, graph, every, now=now(), progress=progress)
        bring_outputs(project, there, frozen, now=now(), progress=progress)
        try:
            run(graph, left)
        except MlopsError:
            failed = any(record["status"] == "failed" for record in aside.records)
            if not failed:
                raise


def _frozen(graph: Graph, wanted: Recorded, only: Sequence[str]) -> list[str]:
    """Return the steps whose outputs are taken as they were recorded."""
    names = _steps(graph, wanted, only)
    return [name for name in names if graph.steps[name].frozen and name in wanted.steps]


def _settled(graph: Graph) -> Graph:
    """Return the graph with parents of warm starts frozen: which one was chosen is a fact."""
    steps = {
        name: replace(step, frozen=True) if step.kind == "parent" else step
        for name, step in graph.steps.items()
    }
    return replace(graph, steps=steps)


def _recall_parents(there: Project, graph: Graph, wanted: Recorded) -> None:
    """Have the locks of parents say what the run chose: those of its commit are a run older."""
    for name, made in wanted.steps.items():
        if name in graph.steps and graph.steps[name].kind == "parent":
            outputs = {
                path: locks.Output(digest, "tree", 0, 0) for path, digest in made.outputs.items()
            }
            locks.write_lock(there.root, locks.Lock(name, made.key, made.parts or {}, outputs))


def _steps(graph: Graph, wanted: Recorded, only: Sequence[str]) -> list[str]:
    """Return the steps that were recorded and all before them, in order."""
    known = [graph.name(word) for word in only] or [n for n in wanted.steps if n in graph.steps]
    chosen = graph.select(known)
    names = [name for name, step in graph.steps.items() if name in chosen and not step.action]
    if not names:
        raise NotFound(
            f"the pipeline at {wanted.commit[:12]} has none of the steps that were recorded",
            code="nothing-recorded",
            hint=f"git show {wanted.commit[:12]}:pipeline.yaml",
        )
    return names
