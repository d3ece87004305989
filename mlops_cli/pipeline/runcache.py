"""The run cache: what each key gave before. Delete it and only time is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import OutsideWorld
from mlops_cli.pipeline.lock import Output, outputs_json

SCHEMA = "mlops.seen/1"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a key gave: the same fields as the end of a lock."""

    outputs: Mapping[str, Output]
    metrics: Mapping[str, float]
    facts: Mapping[str, Any]


def recall(folder: Path, key: str, *, present: Callable[[str], bool]) -> Seen | None:
    """Return what `key` gave before, when every output is still `present` in the cache."""
    try:
        value = json.loads(_path(folder, key).read_bytes())
        if value["schema"] != SCHEMA or value["key"] != key:
            return None
        outputs = {path: Output.of(item) for path, item in value["outputs"].items()}
        seen = Seen(outputs, value["metrics"], value["facts"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # absent or damaged: as if it had never been seen
    return seen if all(present(out.digest) for out in outputs.values()) else None


def knows(folder: Path, key: str) -> bool:
    """Return whether something is kept for `key`."""
    return _path(folder, key).exists()


def remember(folder: Path, key: str, seen: Seen) -> None:
    """Keep what `key` gave; a folder that cannot be written keeps nothing."""
    value = {
        "schema": SCHEMA,
        "key": key,
        "outputs": outputs_json(seen.outputs),
        "metrics": dict(seen.metrics),
        "facts": dict(seen.facts),
    }
    try:
        fsio.write_atomic(_path(folder, key), json.dumps(value, sort_keys=True), durable=False)
    except (OutsideWorld, OSError):
        pass


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key.removeprefix('sha256:')}.json"
