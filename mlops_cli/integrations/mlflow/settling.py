"""What journals say becomes records of the ledger, once nothing more is expected of a thing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from mlops_cli.integrations.mlflow import artifacts, heads, told
from mlops_cli.integrations.mlflow.book import Book
from mlops_cli.integrations.mlflow.entity import ENDED, Entity, Kind
from mlops_cli.integrations.mlflow.journal import Journal, Name
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import Code, Record

_ORDER: tuple[Kind, ...] = ("experiment", "logged-model", "model", "version", "run")


def settle(book: Book) -> int:
    """Make records of all that is not under way; return how many.

    A run whose process is gone counts as killed. Order: objects, records, then the journals
    go; a crash in between leaves journals that make the same records again.
    """
    made: list[Record] = []
    trees: dict[str, str | None] = {}
    with ExitStack() as stack:
        index = stack.enter_context(open_index(book.git))
        for kind in _ORDER:
            for name in book.journals.names():
                if name.kind == kind and _due(book, name):
                    known = book.folded.get(name, (None,))[0]
                    journal = stack.enter_context(book.journals.held(name, known))
                    if journal is not None:
                        made.append(_record(book, journal, index, trees))
        if made:
            book.ledger.append(*made)
    for record in made:
        book.folded.pop(_name(record), None)
    return len(made)


def _due(book: Book, name: Name) -> bool:
    thing = book.open(name)
    return thing is not None and (thing.ended or book.folded[name][0].abandoned)


def _record(book: Book, journal: Journal, index: Index, trees: dict[str, str | None]) -> Record:
    thing, base = book.fold(journal), journal.head.get("base")
    former = index.get(base) if base else None
    tree = artifacts.tree_of(book.cache, thing.files, former["artifacts"] if former else None)
    trees[thing.id] = tree
    code = _code(former["code"]) if former is not None and former["code"] else None
    origin = told.Origin(book.actor, code, former=former)
    if thing.kind != "run":
        at = thing.facts.get("updated") or thing.facts.get("created")
        when = moment(at) if at else datetime.now(UTC)
        return told.thing_record(thing, origin, time=when, keep=book.keep, artifacts=tree)
    if thing.facts.get("status") not in ENDED:
        thing.facts["status"] = "KILLED"
    outputs: dict[str, str] = {}
    for one in thing.outputs:
        model = _logged(book, str(one.get("id")), index)
        if model is not None:
            held = trees.get(model[0].id) or model[1]
            outputs |= {str(model[0].facts.get("name")): held} if held else {}
    if tree:
        outputs |= artifacts.models_in(book.cache, tree)
    experiment = book.get("experiment", str(thing.facts.get("experiment")))
    name = experiment.facts.get("name") if experiment else thing.facts.get("experiment")
    return told.run_record(
        thing,
        replace(origin, code=origin.code or book.code),
        experiment=str(name),
        keep=book.keep,
        artifacts=tree,
        outputs=outputs,
    )


def _logged(book: Book, id_: str, index: Index) -> tuple[Entity, str | None] | None:
    record = heads.thing(index, "logged-model", id_)
    thing = book.open(Name("logged-model", id_))
    if thing is not None:
        return thing, record["artifacts"] if record else None
    return (told.thing_of(record), record["artifacts"]) if record else None


def _code(said: Mapping[str, Any]) -> Code:
    known = {each.name for each in fields(Code)}
    values = {name: value for name, value in said.items() if name in known}
    return Code(**{**values, "dirty": tuple(values.get("dirty") or ())})


def _name(record: Record) -> Name:
    if record.kind == "run":
        return Name("run", str(record["run"]))
    return Name(record["of"], str(record["model"]))
