"""The last word on each thing of MLflow: of several records the one that no other replaces."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable

from mlops_cli.integrations.mlflow.entity import DEFAULT_EXPERIMENT, Entity, Kind
from mlops_cli.integrations.mlflow.told import thing_of
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record


def head(records: Iterable[Record]) -> Record | None:
    """Return the last of the records of one thing; of two that are last, the newer."""
    found = list(records)
    replaced = {str(one["replaces"]) for one in found if one["replaces"]}
    left = [one for one in found if str(one.digest) not in replaced]
    return max(left or found, key=lambda one: (str(one["time"]), str(one.digest)), default=None)


def run(index: Index, id_: str) -> Record | None:
    """Return the last record of a run."""
    return head(index.newest("run", run=id_))


def thing(index: Index, kind: Kind, id_: str) -> Record | None:
    """Return the last record of anything else."""
    return head(one for one in index.newest("mlflow", model=id_) if one["of"] == kind)


def things(index: Index, kind: Kind) -> dict[str, Record]:
    """Return id → last record of all things of a kind."""
    grouped: dict[str, list[Record]] = {}
    for one in index.newest("mlflow"):
        if one["of"] == kind:
            grouped.setdefault(str(one["model"]), []).append(one)
    return {id_: last for id_, each in grouped.items() if (last := head(each)) is not None}


def experiments(index: Index) -> dict[str, Entity]:
    """Return id → experiment, as far as the ledger knows them."""
    return {id_: thing_of(last) for id_, last in things(index, "experiment").items()}


def experiment_id(name: str, known: Container[str]) -> str:
    """Return the id of a new experiment: a number made of its name, so that two clones that make
    the same experiment make the same one."""
    if name == "Default" and DEFAULT_EXPERIMENT not in known:
        return DEFAULT_EXPERIMENT
    for salt in range(1_000_000):
        words = f"{name}\0{salt}" if salt else name
        found = str(int(hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:14], 16))
        if found not in known:
            return found
    raise RuntimeError("a million experiments of one name")
