"""Runs, logged models and experiments of a store of MLflow become records of the ledger.

Objects come first, then records, in batches: what a killed import has recorded is complete, and
the next one goes on behind it. A run that is here already as it is there stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from mlops_cli.integrations.mlflow import artifacts, heads, told
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.row import Row, State
from mlops_cli.integrations.mlflow.shelves import Shelves, Taken
from mlops_cli.integrations.mlflow.source import Source
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.ledger.append import Ledger
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Code, Record
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

BATCH = 200


@dataclass(frozen=True, slots=True)
class Parts:
    """What an import works with. `index` must be up to date."""

    cache: Cache
    ledger: Ledger
    index: Index
    actor: str
    now: datetime
    shelves: Shelves
    unfinished: bool = False  # take runs that have not ended, as killed ones
    dry_run: bool = False


@dataclass(slots=True)
class Known:
    """What an import has found out so far: trees of runs and of logged models, by their ids."""

    rows: list[Row] = field(default_factory=list)
    trees: dict[str, str] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)  # run → digest of its record


def bring(source: Source, parts: Parts, *, progress: Progress = SILENT) -> Known:
    """Record all of `source` but for registered models, which `models.bring` does next."""
    known = Known()
    experiments = _renumbered(source.experiments(), parts.index)
    made: dict[str, list[tuple[str, str]]] = {}  # run → name and tree of what it logged
    for model in source.logged_models():
        experiment = experiments.get(str(model.facts.get("experiment")))
        model.facts["experiment"] = experiment.id if experiment else None
        taken = _thing(model, parts, known, with_artifacts=True)
        if taken and taken.tree:
            known.trees[model.id] = taken.tree
            made.setdefault(str(model.facts.get("run")), []).append(
                (str(model.facts.get("name") or model.id), taken.tree)
            )
    for one in experiments.values():
        _thing(one, parts, known)
    with progress.task("importing", total=source.count(), unit="runs") as task:
        for batch in _batches(source.runs()):
            _runs(batch, experiments, made, parts, known)
            task.advance(len(batch))
    return known


def _runs(
    batch: list[Entity],
    experiments: dict[str, Entity],
    made: dict[str, list[tuple[str, str]]],
    parts: Parts,
    known: Known,
) -> None:
    """Record those of `batch` that are new or not as they were, in one commit."""
    names = {one.id: one.facts.get("name") for one in experiments.values()}
    wanted: list[tuple[Entity, Record | None, Taken]] = []
    for run in batch:
        experiment = experiments.get(str(run.facts.get("experiment")))
        if why := _left_out(run, experiment, parts):
            known.rows.append(Row("run", run.id, "left out", why))
            continue
        run.facts["experiment"] = experiment.id if experiment else run.facts.get("experiment")
        former = heads.run(parts.index, run.id)
        wanted.append((run, former, _taken(run, former, parts, known)))
    records: list[Record] = []
    with ExitStack() as stack:
        keep = _digest_only
        if not parts.dry_run:
            writer = stack.enter_context(parts.cache.writer())

            def keep(data: bytes) -> str:
                return str(writer.put(data))

        for run, former, taken in wanted:
            fresh = _record(run, former, taken, names, made, parts, keep)
            if taken.tree:
                known.trees[run.id] = taken.tree
            if former is not None and told.same(former, fresh):
                known.rows.append(Row("run", run.id, "unchanged"))
                known.records[run.id] = str(former.digest)
                continue
            known.rows.append(Row("run", run.id, "updated" if former else "imported"))
            known.records[run.id] = str(fresh.digest)
            records.append(fresh)
    if records and not parts.dry_run:
        parts.ledger.append(*records)


def _record(
    run: Entity,
    former: Record | None,
    taken: Taken,
    names: dict[str, str | None],
    made: dict[str, list[tuple[str, str]]],
    parts: Parts,
    keep: told.Keep,
) -> Record:
    name = str(names.get(str(run.facts["experiment"])) or run.facts["experiment"])
    outputs = dict(made.get(run.id, ()))
    if taken.tree:
        outputs |= artifacts.models_in(parts.cache, taken.tree)
    commit = run.tags.get("mlflow.source.git.commit", "")
    origin = told.Origin(
        parts.actor,
        code=Code(commit) if _is_commit(commit) else None,
        source=taken.source,
        former=former,
    )
    return told.run_record(
        run, origin, experiment=name, keep=keep, artifacts=taken.tree, outputs=outputs
    )


def _renumbered(found: dict[str, Entity], index: Index) -> dict[str, Entity]:
    """Return the id there → experiment, which has the id that its name has here: small numbers
    of several stores mean different experiments."""
    here = {str(one.facts.get("name")): id_ for id_, one in heads.experiments(index).items()}
    taken = set(here.values())
    for id_, one in found.items():
        name = str(one.facts.get("name") or id_)
        one.id = here.get(name) or heads.experiment_id(name, taken)
        taken.add(one.id)
    return found


def _left_out(run: Entity, experiment: Entity | None, parts: Parts) -> str:
    if run.deleted or (experiment is not None and experiment.deleted):
        return "it is deleted in MLflow"
    if not run.ended:
        if not parts.unfinished:
            return "it has not ended; --unfinished takes it as killed"
        run.facts["status"] = "KILLED"
    return ""


def _taken(thing: Entity, former: Record | None, parts: Parts, known: Known) -> Taken:
    taken = parts.shelves.take(thing, former)
    if taken.why:
        known.rows.append(Row("artifacts", thing.id, "left out", taken.why))
    return taken


def _thing(
    thing: Entity, parts: Parts, known: Known, *, with_artifacts: bool = False
) -> Taken | None:
    """Record an experiment or a logged model, unless its last record says the same."""
    if thing.deleted:
        known.rows.append(Row(thing.kind, thing.id, "left out", "it is deleted in MLflow"))
        return None
    former = heads.thing(parts.index, thing.kind, thing.id)
    taken = _taken(thing, former, parts, known) if with_artifacts else Taken()
    origin = told.Origin(parts.actor, source=taken.source, former=former)
    time = moment(thing.facts.get("updated") or thing.facts.get("created"))
    keep = _digest_only if parts.dry_run else lambda data: str(parts.cache.put(data))
    fresh = told.thing_record(thing, origin, time=time, keep=keep, artifacts=taken.tree)
    state: State = "imported"
    if former is not None:
        state = "unchanged" if told.same(former, fresh) else "updated"
    known.rows.append(Row(thing.kind, thing.id, state))
    if state != "unchanged" and not parts.dry_run:
        parts.ledger.spool(fresh)
    return taken


def _digest_only(data: bytes) -> str:
    return str(Digest.of(data))


def _is_commit(text: str) -> bool:
    return len(text) == 40 and all(letter in "0123456789abcdef" for letter in text)


def _batches(runs: Iterable[Entity]) -> Iterator[list[Entity]]:
    runs = iter(runs)
    while batch := list(islice(runs, BATCH)):
        yield batch
