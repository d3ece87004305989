"""How a model that was just trained stands beside the one in production, on the same rows."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_cli.errors import NotFound
from mlops_cli.ledger.record import record
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.traces.lock import read_locks
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle as bundles
from mlops_cli.training import dataset, paired, score
from mlops_cli.training.evaluate import DEFAULTS, measure, slices
from mlops_cli.training.parts import Parts

PRODUCTION = "production"
RECORDED = 20  # values of a slice that the record keeps


@dataclass(frozen=True, slots=True)
class Standing:
    """Both models on the test rows of the challenger; `test` is of the first metric."""

    model: str
    challenger: str  # digest
    champion: Version
    rows: Digest
    metrics: dict[str, dict[str, float | None]]  # name → {challenger, champion}
    slices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    test: dict[str, Any] | None = None
    why: str | None = None  # they cannot be compared
    dataset: str | None = None  # digest of the folder the rows lie in

    def to_plain(self) -> dict[str, Any]:
        """Return the standing as plain values."""
        return {
            "model": self.model,
            "challenger": self.challenger,
            "champion": {"version": self.champion.number, "digest": self.champion.digest},
            "rows": str(self.rows),
            "metrics": self.metrics,
            "slices": self.slices,
            "test": self.test,
            "why": self.why,
        }


def standings(parts: Parts, pipeline: Pipeline, train: str) -> list[Standing]:
    """Return how the model that `train.T` made last stands beside each production it could take.

    Empty where nothing is in production, or it is this very model. Raises NotFound
    ("missing-object") where the rows or the champion are not in the cache.
    """
    registry = Registry(parts.git)
    found = []
    for name, section in pipeline.models.items():
        if section.source != f"train.{train}":
            continue
        event = registry.alias(name, PRODUCTION)
        if event is not None and event.version is not None:
            champion = registry.version(name, event.version)
            if one := _standing(parts, pipeline, train, champion):
                found.append(one)
    return found


def remember(parts: Parts, found: list[Standing], *, now: datetime) -> list[str]:
    """Append the record of each comparison; a promotion compares again on its own."""
    kept = [
        record(
            "evaluation",
            time=now,
            actor=str(parts.git.identity()),
            run=None,
            model=each.model,
            challenger={"version": None, "digest": each.challenger},
            champion={"version": each.champion.number, "digest": each.champion.digest},
            alias=PRODUCTION,
            rows=each.rows,
            dataset=each.dataset,
            metric=each.test["metric"],
            result={**each.test, "metrics": each.metrics, "slices": _largest(each.slices)},
            verdict="better" if each.test["difference"] > 0 else "not better",
        )
        for each in found
        if each.test is not None
    ]
    return [str(digest) for digest in parts.ledger.append(*kept)] if kept else []


def _largest(slices: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return of each column the values with most rows: a record stays small."""
    return {
        column: sorted(values, key=lambda one: -one["rows"])[:RECORDED]
        for column, values in slices.items()
    }


def _standing(parts: Parts, pipeline: Pipeline, train: str, champion: Version) -> Standing | None:
    import pyarrow.parquet as pq

    step = f"evaluate.{train}"
    lock = read_locks(parts.root, [step]).get(step)
    if lock is None:
        return None
    inputs = {path: Digest.parse(digest) for path, digest in lock.parts["inputs"].items()}
    made = bundles.opened(parts.cache, inputs[f"out/{train}/model"])
    digest = made.digest(bundles.MODEL)
    if str(digest) == str(champion.digest):
        return None
    folder = bundles.opened(parts.cache, inputs[f"out/{train}/dataset"])
    facts = folder.json("dataset.json")
    table = pq.read_table(io.BytesIO(folder.read("test.parquet")))
    rows = folder.digest("test.parquet")
    answers = {"challenger": score.score(made.read(bundles.MODEL), table)}
    section = pipeline.train[train]
    names = section.metrics or DEFAULTS.get(pipeline.project.task, ())
    try:
        answers["champion"] = score.score(parts.cache.read(champion.digest), table)
    except NotFound as exc:
        if exc.code != "column-missing":
            raise
        return Standing(champion.model, str(digest), champion, rows, {}, why=exc.message)
    if answers["champion"].shape != answers["challenger"].shape or not names:
        why = "their classes differ" if names else "no metric is declared"
        return Standing(champion.model, str(digest), champion, rows, {}, why=why)
    label = dataset.labels(table, facts)
    by_side = {side: measure(label, answer, names) for side, answer in answers.items()}
    parts_of = {
        side: slices(table, section.slices, label, answer, names)
        for side, answer in answers.items()
    }
    test = None
    if None not in (by_side[side][names[0]] for side in by_side):
        found = paired.compare(label, answers["challenger"], answers["champion"], metric=names[0])
        test = found.to_plain()
    return Standing(
        champion.model,
        str(digest),
        champion,
        rows,
        {name: {side: values[name] for side, values in by_side.items()} for name in names},
        {
            column: _beside(each, parts_of["champion"][column])
            for column, each in parts_of["challenger"].items()
        },
        test,
        dataset=str(inputs[f"out/{train}/dataset"]),
    )


def _beside(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "value": one["value"],
            "rows": one["rows"],
            "challenger": one["metrics"],
            "champion": other["metrics"],
        }
        for one, other in zip(ours, theirs, strict=True)
    ]
