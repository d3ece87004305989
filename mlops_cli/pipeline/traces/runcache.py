"""The run cache: what each key gave before. Delete it and only time is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.pipeline.traces.lock import Output, outputs_json
from mlops_cli.store.digest import Digest

SCHEMA = "mlops.seen/1"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a key gave: the same fields as the end of a lock, and who says so.

    `record` is that of the run in the ledger of `writer`; `remote` is the one from which the entry
    came, None for what was made with this cache.
    """

    outputs: Mapping[str, Output]
    metrics: Mapping[str, float]
    facts: Mapping[str, Any]
    record: str | None = None
    writer: str | None = None
    actor: str | None = None
    determinism: str = "exact"
    remote: str | None = None


_SAID = ("record", "writer", "actor", "remote")


def recall(folder: Path, key: str, *, present: Callable[[str], bool]) -> Seen | None:
    """Return what `key` gave before, when every output is still `present` in the cache."""
    try:
        found = parse(_path(folder, key).read_bytes())
    except OSError:
        return None
    if found is None or found[0] != key:
        return None  # damaged: as if it had never been seen
    seen = found[1]
    return seen if all(present(out.digest) for out in seen.outputs.values()) else None


def parse(data: bytes) -> tuple[str, Seen] | None:
    """Return the key and what it gave, None where `data` is no entry that can be read."""
    try:
        value = json.loads(data)
        if value["schema"] != SCHEMA:
            return None
        outputs = {path: Output.of(item) for path, item in value["outputs"].items()}
        for out in outputs.values():
            Digest.parse(out.digest)
        said = {name: str(value[name]) for name in _SAID if value.get(name)}
        determinism = str(value.get("determinism", "exact"))
        seen = Seen(outputs, value["metrics"], value["facts"], determinism=determinism, **said)
        return str(value["key"]), seen
    except (ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None


def entry(key: str, seen: Seen) -> dict[str, Any]:
    """Return an entry as plain values; what nobody said is left out."""
    value = {
        "schema": SCHEMA,
        "key": key,
        "outputs": outputs_json(seen.outputs),
        "metrics": dict(seen.metrics),
        "facts": dict(seen.facts),
    }
    value |= {name: said for name in _SAID if (said := getattr(seen, name))}
    return value | ({"determinism": seen.determinism} if seen.determinism != "exact" else {})


def knows(folder: Path, key: str) -> bool:
    """Return whether something is kept for `key`."""
    return _path(folder, key).exists()


def remember(folder: Path, key: str, seen: Seen) -> None:
    """Keep what `key` gave; a folder that cannot be written keeps nothing."""
    text = json.dumps(entry(key, seen), sort_keys=True)
    try:
        fsio.write_atomic(_path(folder, key), text, durable=False)
    except (OutsideWorld, OSError):
        pass


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key.removeprefix('sha256:')}.json"
