"""Things of MLflow as they stand: what the ledger says, and what journals add to it.

The plug-in of MLflow asks and changes here; nothing of MLflow is imported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_cli.integrations.mlflow import artifacts, heads, told
from mlops_cli.integrations.mlflow.entity import DEFAULT_EXPERIMENT, ENDED, Entity, File, Kind
from mlops_cli.integrations.mlflow.entity import change as changed
from mlops_cli.integrations.mlflow.journal import Journal, Journals, Name
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.ledger.append import SPOOL, Ledger
from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import Code, Record
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.repo import Git

_ORDER: tuple[Kind, ...] = ("experiment", "logged-model", "model", "version", "run")


@dataclass
class Book:
    """The things of one project."""

    git: Git
    cache: Cache
    ledger: Ledger
    _folded: dict[Name, tuple[Journal, Entity]] = field(default_factory=dict)

    @cached_property
    def journals(self) -> Journals:
        """Where changes wait."""
        return Journals(self.git.root / SPOOL)

    @cached_property
    def actor(self) -> str:
        """Who logs, as git knows them."""
        return str(self.git.identity())

    @cached_property
    def code(self) -> Code:
        """The code as it stands when the first run of this process ends."""
        return code_now(self.git, self._keep)

    def get(self, kind: Kind, id_: str, *, whole: bool = False) -> Entity | None:
        """Return the thing as it stands, None where there is none; `whole`: with every point."""
        thing = self._open(Name(kind, id_))
        if thing is not None:
            return thing
        with open_index(self.git) as index:
            record = _record(index, Name(kind, id_))
        if record is not None:
            return told.thing_of(record, self._read, points=whole)
        if (kind, id_) == ("experiment", DEFAULT_EXPERIMENT):
            return Entity(kind, id_, {"name": "Default", "lifecycle": "active"})
        return None

    def all(self, kind: Kind) -> Iterator[Entity]:
        """Yield all things of a kind as they stand, each with the last point of its metrics."""
        open_ = {name.id: name for name in self.journals.names() if name.kind == kind}
        for name in open_.values():
            if (thing := self._open(name)) is not None:
                yield thing
        with open_index(self.git) as index:
            records = list(_records(index, kind))
        for record in records:
            if str(record["run" if kind == "run" else "model"]) not in open_:
                yield told.thing_of(record, self._read)
        known = {str(record["model"]) for record in records} | open_.keys()
        if kind == "experiment" and DEFAULT_EXPERIMENT not in known:
            yield Entity(kind, DEFAULT_EXPERIMENT, {"name": "Default", "lifecycle": "active"})

    def create(self, kind: Kind, id_: str, **parts: Any) -> Entity:
        """Write down a thing that there was not, and return it."""
        self.journals.write(Name(kind, id_), changed(**parts), base=None)
        found = self._open(Name(kind, id_))
        assert found is not None
        return found

    def change(self, kind: Kind, id_: str, **parts: Any) -> None:
        """Write a change down: set, params, tags, untag, points, inputs, outputs, files."""
        name = Name(kind, id_)
        base = None
        if self._open(name) is None:
            with open_index(self.git) as index:
                record = _record(index, name)
            base = str(record.digest) if record else None
        self.journals.write(name, changed(**parts), base=base)

    def files(self, kind: Kind, id_: str) -> dict[str, File]:
        """Return path → artifact of a run or a logged model."""
        name = Name(kind, id_)
        thing = self._open(name)
        base = self._folded[name][0].head.get("base") if thing else None
        record = None
        if thing is None or base:
            with open_index(self.git) as index:
                record = index.get(base) if base else _record(index, name)
        tree = record["artifacts"] if record is not None else None
        found = artifacts.files_of(self.cache, tree) if tree else {}
        return found | (thing.files if thing else {})

    def tree(self, kind: Kind, id_: str) -> str | None:
        """Store the artifacts of a thing as a tree and return it."""
        return artifacts.tree_of(self.cache, self.files(kind, id_))

    def settle(self) -> int:
        """Make records of all that is not under way; return how many.

        A run whose process is gone counts as killed. Order: objects, records, then the journals
        go; a crash in between leaves journals that make the same records again.
        """
        made: list[Record] = []
        trees: dict[str, str | None] = {}
        with ExitStack() as stack:
            index = stack.enter_context(open_index(self.git))
            for kind in _ORDER:
                for name in self.journals.names():
                    if name.kind == kind and self._due(name):
                        known = self._folded.get(name, (None,))[0]
                        journal = stack.enter_context(self.journals.held(name, known))
                        if journal is not None:
                            made.append(self._record(journal, index, trees))
            if made:
                self.ledger.append(*made)
        for record in made:
            self._folded.pop(_name(record), None)
        return len(made)

    def _due(self, name: Name) -> bool:
        thing = self._open(name)
        return thing is not None and (thing.ended or self._folded[name][0].abandoned)

    def _record(self, journal: Journal, index: Index, trees: dict[str, str | None]) -> Record:
        thing, base = self._fold(journal), journal.head.get("base")
        former = index.get(base) if base else None
        tree = artifacts.tree_of(self.cache, thing.files, former["artifacts"] if former else None)
        trees[thing.id] = tree
        code = _code(former["code"]) if former is not None and former["code"] else None
        origin = told.Origin(self.actor, code, former=former)
        if thing.kind != "run":
            at = thing.facts.get("updated") or thing.facts.get("created")
            when = moment(at) if at else datetime.now(UTC)
            return told.thing_record(thing, origin, time=when, keep=self._keep, artifacts=tree)
        if thing.facts.get("status") not in ENDED:
            thing.facts["status"] = "KILLED"
        outputs: dict[str, str] = {}
        for one in thing.outputs:
            model = self._logged(str(one.get("id")), index)
            if model is not None:
                held = trees.get(model[0].id) or model[1]
                outputs |= {str(model[0].facts.get("name")): held} if held else {}
        if tree:
            outputs |= artifacts.models_in(self.cache, tree)
        experiment = self.get("experiment", str(thing.facts.get("experiment")))
        name = experiment.facts.get("name") if experiment else thing.facts.get("experiment")
        return told.run_record(
            thing,
            replace(origin, code=origin.code or self.code),
            experiment=str(name),
            keep=self._keep,
            artifacts=tree,
            outputs=outputs,
        )

    def _logged(self, id_: str, index: Index) -> tuple[Entity, str | None] | None:
        record = heads.thing(index, "logged-model", id_)
        thing = self._open(Name("logged-model", id_))
        if thing is not None:
            return thing, record["artifacts"] if record else None
        return (told.thing_of(record), record["artifacts"]) if record else None

    def _open(self, name: Name) -> Entity | None:
        """Return the thing that has a journal; only new lines of it are read."""
        known = self._folded.get(name)
        journal = self.journals.read(name, known[0] if known else None)
        if journal is None:
            self._folded.pop(name, None)
            return None
        return self._fold(journal)

    def _fold(self, journal: Journal) -> Entity:
        """Return what the lines make of the record that they go on from."""
        known = self._folded.get(journal.name)
        if known is not None and known[0].first == journal.first:
            thing = known[1]
        else:
            thing = Entity(journal.name.kind, journal.name.id)
            if base := journal.head.get("base"):
                with open_index(self.git) as index:
                    record = index.get(base)
                thing = thing if record is None else self._whole(record)
        for one in journal.changes:
            thing.apply(one)
        self._folded[journal.name] = replace(journal, changes=()), thing
        return thing

    def _whole(self, record: Record) -> Entity:
        return told.thing_of(record, self._read, points=True)

    def _keep(self, data: bytes) -> str:
        return str(self.cache.put(data))

    def _read(self, digest: str) -> bytes:
        return self.cache.read(Digest.parse(digest))


def put_file(book: Book, path: Path) -> File:
    """Store a file and return how an artifact names it."""
    digest = book.cache.put_file(path)
    return File(str(digest), book.cache.size(digest))


def now() -> int:
    """Return the time as MLflow counts it."""
    return int(time.time() * 1000)


def _record(index: Index, name: Name) -> Record | None:
    if name.kind == "run":
        return heads.run(index, name.id)
    return heads.thing(index, name.kind, name.id)


def _records(index: Index, kind: Kind) -> Iterator[Record]:
    if kind != "run":
        yield from heads.things(index, kind).values()
        return
    found = [one for one in index.newest("run") if one["step_kind"] == told.STEP_KIND]
    replaced = {str(one["replaces"]) for one in found if one["replaces"]}
    seen: set[str] = set()
    for one in found:
        if str(one.digest) not in replaced and str(one["run"]) not in seen:
            seen.add(str(one["run"]))
            yield one


def _code(said: Mapping[str, Any]) -> Code:
    known = {each.name for each in fields(Code)}
    values = {name: value for name, value in said.items() if name in known}
    return Code(**{**values, "dirty": tuple(values.get("dirty") or ())})


def _name(record: Record) -> Name:
    if record.kind == "run":
        return Name("run", str(record["run"]))
    return Name(record["of"], str(record["model"]))
