"""The model that a training goes on from: chosen once a dataset, and an input like any other.

So it stands in the key of the training, and a commit alone says from which weights it began.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import config, encode, fsio
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import read_locks
from mlops_cli.registry.registry import Registry
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle, weights
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import caches

FORMAT = "mlops.parent/1"
INCREMENTAL = "MLOPS_INCREMENTAL"  # set by `mlops train --incremental`: this once
PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Parent:
    """A model to go on from. `after` is the time of the newest row it was trained on."""

    model: str  # digest of model.onnx
    name: str
    dataset: str
    after: str | None
    incremental: bool
    schema: Mapping[str, Any]
    weights: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    model: bundle.Bundle
    dataset: Digest


class ParentStep:
    """config: {name, warm_start, incremental, models}; deps[0] is the dataset."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write parent.json and, where there is a parent, its weights and schema.

        A first training has none, nor has one after a model that kept no weights: it starts cold,
        and parent.json says why.
        """
        out = context.outs[step.outs[0]]
        settings = config.load(context.root, environment=os.environ, home=Path.home())
        cache = caches.cache_of(context.root, settings)
        found = _find(context.root, cache, step.config)
        said: dict[str, Any] = {"schema": FORMAT, "model": None}
        if isinstance(found, str):
            said["why"] = found
            context.progress.say(f"{found}: this training starts cold.")
        else:
            data = bundle.opened(cache, found.dataset).json("dataset.json")
            said |= {
                "model": str(found.model.digest(bundle.MODEL)),
                "name": found.name,
                "dataset": str(found.dataset),
                "after": data["split"]["train"].get("end"),
                "incremental": bool(step.config.get("incremental") or os.environ.get(INCREMENTAL)),
            }
            for name in (weights.FILE, "schema.json"):
                fsio.write_atomic(out / name, found.model.read(name), durable=False)
        fsio.write_atomic(out / "parent.json", encode.readable_json(said), durable=False)
        return Outcome(facts={name: said[name] for name in said if name != "schema"})


def read(folder: Path) -> Parent | None:
    """Return the parent that the step left in `folder`; None at a cold start."""
    said = encode.parse_json((folder / "parent.json").read_bytes(), source="parent.json")
    if said["model"] is None:
        return None
    schema = encode.parse_json((folder / "schema.json").read_bytes(), source="schema.json")
    return Parent(
        said["model"],
        said["name"],
        said["dataset"],
        said["after"],
        said["incremental"],
        schema,
        weights.decode((folder / weights.FILE).read_bytes()),
    )


def _find(root: Path, cache: Cache, wanted: Mapping[str, Any]) -> _Found | str:
    """Return the parent, or why there is none."""
    if wanted["warm_start"] == PRODUCTION:
        found = _production(root, cache, wanted["models"])
    else:
        found = _previous(root, cache, wanted["name"])
    if found is None:
        return f"there is no {wanted['warm_start']} model yet"
    if weights.FILE not in found.model.files:
        return f"{found.name} kept no weights"
    return found


def _production(root: Path, cache: Cache, models: list[str]) -> _Found | None:
    registry = Registry(Git(root))
    for model in models:
        event = registry.alias(model, PRODUCTION)
        if event is not None and event.version is not None:
            version = registry.version(model, event.version)
            made = bundle.opened(cache, version.bundle)
            return _Found(version.name, made, Digest.parse(version.payload["dataset"]))
    return None


def _previous(root: Path, cache: Cache, name: str) -> _Found | None:
    step = f"train.{name}"
    lock = read_locks(root, [step]).get(step)
    if lock is None:
        return None
    made = bundle.opened(cache, Digest.parse(lock.outputs[f"out/{name}/model"].digest))
    dataset = Digest.parse(lock.parts["inputs"][f"out/{name}/dataset"])
    return _Found(f"the previous model of {step}", made, dataset)
