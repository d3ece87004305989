"""What a stage saw when DVC ran it, held against what is there now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.integrations.dvc import present
from mlops_cli.integrations.dvc.context import read_values
from mlops_cli.integrations.dvc.lock import Locked
from mlops_cli.integrations.dvc.lower import Lowered
from mlops_cli.integrations.dvc.outs import Out, Refused, place, read_sum
from mlops_cli.store.files.ingest import Stored

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.plan import World
    from mlops_cli.pipeline.step import Step


def inputs(
    one: Lowered,
    entry: Locked,
    step: Step,
    world: World,
    outs: Mapping[str, Out],
    stored: Mapping[str, Stored],
    root: Path,
    changed: list[str],
) -> Iterable[tuple[str, str]]:
    """Yield each dep with its digest, or with its former md5 where it is another one now."""
    said: dict[str, Any] = {}
    for path, values in entry.deps.items():
        try:
            said[place(one.stage.wdir, path)] = read_sum(values)
        except Refused:
            continue  # outside of the project: lower said so
    for path in dict.fromkeys([*step.deps, *said]):
        sum_ = said.get(path)
        now = world.paths.get(path)
        known = outs.get(path)
        if known is not None and known.sum == sum_ and path in stored:
            digest = str(stored[path].digest)
            same = now in (None, digest) and path in step.deps
        elif path in said and path in step.deps and now is not None and sum_ is not None:
            digest, same = now, present.matches(root / path, sum_)
        elif path in step.deps and path not in one.stage.deps and now is not None:
            digest, same = now, True  # a params file, which _params compares by its values
        else:
            digest, same = "", False
        if same:
            yield path, digest
        else:
            changed.append(path)
            yield path, str(sum_) if sum_ else "unknown"


def params(
    one: Lowered, entry: Locked, step: Step, world: World, root: Path, changed: list[str]
) -> Iterable[tuple[str, Any]]:
    """Yield each param with its value now, or with the former one where that was another."""
    for file, keys in one.stage.params:
        path = place(one.stage.wdir, file)
        before = entry.params.get(file, {})
        try:
            values = read_values(root, path)
        except Refused:
            values = {}
        if not keys and dict(before) == values:
            if path in step.params:
                yield path, world.params[path]
            continue
        if not keys:
            changed.append(path)
            yield path, before
        for word in keys:
            reference = f"{path}:{word}"
            if word in before and _at(values, word) == before[word]:
                if reference in step.params:
                    yield reference, world.params[reference]
            else:
                changed.append(reference)
                yield reference, before.get(word)
    yielded = {
        f"{place(one.stage.wdir, file)}:{word}" for file, keys in one.stage.params for word in keys
    }
    for reference in step.params:  # what the command names by itself
        if reference not in yielded and ":" in reference:
            yield reference, world.params[reference]


def _at(values: Any, word: str) -> Any:
    for part in word.split("."):
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values
