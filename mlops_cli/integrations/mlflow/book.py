"""Things of MLflow as they stand: what the ledger says, and what journals add to it.

The plug-in of MLflow asks and changes here; nothing of MLflow is imported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_cli.integrations.mlflow import artifacts, heads, told
from mlops_cli.integrations.mlflow.entity import DEFAULT_EXPERIMENT, Entity, File, Kind
from mlops_cli.integrations.mlflow.entity import change as changed
from mlops_cli.integrations.mlflow.journal import Journal, Journals, Name
from mlops_cli.ledger.append import SPOOL, Ledger
from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import Code, Record
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.repo import Git


@dataclass
class Book:
    """The things of one project."""

    git: Git
    cache: Cache
    ledger: Ledger
    folded: dict[Name, tuple[Journal, Entity]] = field(default_factory=dict)

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
        return code_now(self.git, self.keep)

    def get(self, kind: Kind, id_: str, *, whole: bool = False) -> Entity | None:
        """Return the thing as it stands, None where there is none; `whole`: with every point."""
        thing = self.open(Name(kind, id_))
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
            if (thing := self.open(name)) is not None:
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
        found = self.open(Name(kind, id_))
        assert found is not None
        return found

    def change(self, kind: Kind, id_: str, **parts: Any) -> None:
        """Write a change down: set, params, tags, untag, points, inputs, outputs, files."""
        name = Name(kind, id_)
        base = None
        if self.open(name) is None:
            with open_index(self.git) as index:
                record = _record(index, name)
            base = str(record.digest) if record else None
        self.journals.write(name, changed(**parts), base=base)

    def files(self, kind: Kind, id_: str) -> dict[str, File]:
        """Return path → artifact of a run or a logged model."""
        name = Name(kind, id_)
        thing = self.open(name)
        base = self.folded[name][0].head.get("base") if thing else None
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

    def open(self, name: Name) -> Entity | None:
        """Return the thing that has a journal; only new lines of it are read."""
        known = self.folded.get(name)
        journal = self.journals.read(name, known[0] if known else None)
        if journal is None:
            self.folded.pop(name, None)
            return None
        return self.fold(journal)

    def fold(self, journal: Journal) -> Entity:
        """Return what the lines make of the record that they go on from."""
        known = self.folded.get(journal.name)
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
        self.folded[journal.name] = replace(journal, changes=()), thing
        return thing

    def _whole(self, record: Record) -> Entity:
        return told.thing_of(record, self._read, points=True)

    def keep(self, data: bytes) -> str:
        """Store bytes and return their digest."""
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
