"""A folder with an MLmodel: which of its files is the model, and what its version says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.integrations.mlflow import document
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.policy import format_of
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find

_MOST = 1 << 20  # bytes of an MLmodel
_FILES = ("data", "pickled_model", "model_path", "model_data", "model_binary", "weights")


@dataclass(frozen=True, slots=True)
class Model:
    """What a folder with an MLmodel holds: the file that is the model, and of which format."""

    tree: str
    digest: str
    format: str
    flavors: tuple[str, ...]


def payload_of(
    model: Model, version: Entity, *, created: str, actor: str, run: str | None
) -> dict[str, Any]:
    """Return what the tag of a version says."""
    facts = version.facts
    kept = ("number", "description", "source", "run", "logged_model", "user", "stage")
    return {
        "digest": model.digest,
        "bundle": model.tree,
        "format": model.format,
        "run": run,
        "metrics": {},
        "created": created,
        "actor": actor,
        "mlflow": {
            "name": facts.get("model"),
            "flavors": list(model.flavors),
            **{name: facts[name] for name in kept if facts.get(name) is not None},
            **({"tags": version.tags} if version.tags else {}),
        },
    }


def look(cache: Cache, tree: str) -> Model:
    """Return which file of the folder is the model, by its MLmodel.

    Raises ConfigError ("malformed-mlflow-file") where it has none that can be read.
    """
    entry = find(cache, Digest.parse(tree), "MLmodel")
    if entry is None or entry.mode == "dir" or entry.size > _MOST:
        raise ConfigError(
            "it is no folder with an MLmodel",
            code="malformed-mlflow-file",
            hint="mlops registers what mlflow.<flavor>.log_model wrote",
        )
    said = document.parse(cache.read(entry.digest), name="MLmodel")
    flavors: Any = said.get("flavors")
    flavors = flavors if isinstance(flavors, Mapping) else {}
    own = [name for name in flavors if name != "python_function"]
    for flavor in (*own, "python_function"):
        words: Any = flavors.get(flavor)
        for key in _FILES:
            path = words.get(key) if isinstance(words, Mapping) else None
            file = find(cache, Digest.parse(tree), path) if isinstance(path, str) else None
            if file is not None and file.mode in ("file", "exec"):
                with cache.open(file.digest) as stream:
                    head = stream.read(16)
                return Model(tree, str(file.digest), format_of(head), tuple(own))
    return Model(tree, tree, format_of(None), tuple(own))
