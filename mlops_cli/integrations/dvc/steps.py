"""Stages of DVC become steps; a step counts as done where all that dvc.lock saw is as it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.dvc import saw
from mlops_cli.integrations.dvc.context import leaves
from mlops_cli.integrations.dvc.lock import Locked
from mlops_cli.integrations.dvc.lower import Lowered
from mlops_cli.integrations.dvc.outs import Out
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.pipeline.keys.key import digest_of, key
from mlops_cli.pipeline.planning.look import look
from mlops_cli.pipeline.traces.lock import Lock, Output, write_lock
from mlops_cli.store.files.ingest import Stored

if TYPE_CHECKING:
    from mlops_cli.pipeline.graph.graph import Graph
    from mlops_cli.pipeline.planning.plan import World
    from mlops_cli.pipeline.step import Step
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.statcache import StatCache

FACTS = {"imported": "dvc"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the making of locks needs of a project."""

    root: Path
    cache: Cache
    stats: StatCache | None
    environ: Mapping[str, str]


def write_locks(
    graph: Graph,
    lowered: Iterable[Lowered],
    *,
    locked: Mapping[str, Locked],
    outs: Mapping[str, Out],
    stored: Mapping[str, Stored],
    parts: Parts,
) -> list[Row]:
    """Write the lock of each step whose outputs are here; return a row for each step.

    What dvc.lock says of an input that has changed since stands in the lock as an md5, so the
    step is stale for that reason. The environment is taken to be what it is now: DVC keeps none.
    """
    todo = list(lowered)
    try:
        world = look(
            graph,
            [one.name for one in todo],
            root=parts.root,
            stats=parts.stats,
            environ=parts.environ,
            python=(sys.version_info[0], sys.version_info[1]),
            store=parts.cache,
            parsed=parts.cache.root / "parsed",
        )
    except MlopsError as error:
        return [_row(one, f"it has no lock: {error.message}") for one in todo]
    rows = []
    for one in todo:
        entry = locked.get(one.stage.address)
        absent = [made.path for made in one.stage.outs if made.path not in stored]
        if entry is None:
            why = "dvc.lock does not know it: it is to be run"
        elif absent:
            why = f"{absent[0]} is not here: it is to be run"
        else:
            lock, changed = _lock(one, entry, graph.steps[one.name], world, outs, stored, parts)
            write_lock(parts.root, lock)
            why = f"changed since dvc.lock: {', '.join(changed)}" if changed else ""
        rows.append(_row(one, why))
    return rows


def _row(one: Lowered, why: str) -> Row:
    notes = [why, *one.notes] if why else list(one.notes)
    renamed = [f"was {one.stage.address}"] if one.name != one.stage.address else []
    return Row("step", one.name, "imported", "; ".join([*renamed, *notes]))


def _lock(
    one: Lowered,
    entry: Locked,
    step: Step,
    world: World,
    outs: Mapping[str, Out],
    stored: Mapping[str, Stored],
    parts: Parts,
) -> tuple[Lock, list[str]]:
    """Return the lock of one step, and what is not as dvc.lock says."""
    changed: list[str] = []
    inputs = dict(saw.inputs(one, entry, step, world, outs, stored, parts.root, changed))
    now = key(
        step,
        inputs=inputs,
        params=dict(saw.params(one, entry, step, world, parts.root, changed)),
        code={},
        environment=world.environment,
        variables={},
    )
    said = dict(now.parts)
    if entry.cmd != one.stage.cmd:
        changed.append("cmd")
        said["cmd"] = list(entry.cmd)
    made = {made.path for made in one.stage.outs}
    lock = Lock(
        one.name,
        digest_of(said),
        said,
        {path: _output(stored[path]) for path in sorted(made)},
        _metrics(step, stored, parts.cache),
        FACTS,
    )
    return lock, changed


def _output(stored: Stored) -> Output:
    return Output(str(stored.digest), stored.kind, stored.size, stored.files)


def _metrics(step: Step, stored: Mapping[str, Stored], cache: Cache) -> dict[str, float]:
    found: dict[str, float] = {}
    for path in step.metrics:
        try:
            value = json.loads(cache.read(stored[path].digest))
        except ValueError:
            continue  # the next run says so
        if isinstance(value, dict):
            found |= {
                name: number
                for name, number in leaves(value)
                if isinstance(number, int | float)
                and not isinstance(number, bool)
                and abs(number) < float("inf")
            }
    return found
