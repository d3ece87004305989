"""The graph of steps: who makes what another reads; circles and disputed outputs are refused."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.makers import folders_of, makers, makers_of
from mlops_cli.pipeline.order import Where, in_order
from mlops_cli.pipeline.paths import base, under
from mlops_cli.pipeline.step import Step, from_json

if TYPE_CHECKING:
    from datetime import datetime

    from mlops_cli.pipeline.model import Pipeline


_LOWERING = (  # files that say how pipeline.yaml becomes steps
    "model step document load check check_serving check_running check_environment "
    "retry names lower graph order outs check_outs globs deps urls matrix include "
    "nodes partitions goal mapped makers reading paths interpolate check_training "
    "check_triggers"
)


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps in an order in which each comes after what it needs."""

    steps: Mapping[str, Step]
    before: Mapping[str, tuple[str, ...]]  # step → the steps that must come first
    producers: Mapping[str, str]  # out → the step that makes it
    env: Mapping[str, Any] = field(default_factory=dict)  # of model.Env: that of most steps
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def select(self, names: Iterable[str]) -> set[str]:
        """Return the steps `names` and all that must come before them.

        Raises NotFound ("unknown-step").
        """
        chosen: set[str] = set()
        waiting = [name for word in names for name in self.named(word)]
        while waiting:
            name = waiting.pop()
            if name not in chosen:
                chosen.add(name)
                waiting += self.before[name]
        return chosen

    def downstream(self, names: Iterable[str]) -> set[str]:
        """Return the steps that come after any of `names`, themselves left out."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            for name in self.after.get(waiting.pop(), ()):
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def named(self, word: str) -> list[str]:
        """Return the steps that a person calls `word`: one, or all of an entry with `for`."""
        if word in self.steps:
            return [word]
        return [name for name in self.steps if base(name) == word] or [self.name(word)]

    def partitions(self, names: Iterable[str], asked: str) -> list[str]:
        """Return `names` with only those partitions that `asked` means: A, A..B, A.., ..B.

        Raises NotFound ("unknown-partition", "no-partitions").
        """
        from mlops_cli.pipeline.partitions import chosen

        kept: list[str] = []
        groups: dict[str, dict[str, str]] = {}
        for name in names:
            label = self.steps[name].partition
            if label is None:
                kept.append(name)
            else:
                groups.setdefault(base(name), {})[label] = name
        if not groups:
            raise NotFound(
                "no step here has partitions",
                code="no-partitions",
                hint="steps: {NAME: {partitions: {by: time, every: 1d, start: 2024-01-01}}}",
            )
        found = [group[label] for group in groups.values() for label in chosen([*group], asked)]
        return kept + found

    def name(self, word: str) -> str:
        """Return the step that a person calls `word`: its name or an output of it."""
        if word in self.steps:
            return word
        out = word.rstrip("/").removeprefix("./")
        if out in self.producers:
            return self.producers[out]
        from mlops_cli.pipeline.document import meant

        raise NotFound(
            f"there is no step {word!r}",
            code="unknown-step",
            hint=meant(word, self.steps),
            details={"step": word},
        )

    def producer(self, path: str) -> str | None:
        """Return the step that makes `path`, or the folder in which it lies."""
        while path:
            if path in self.producers:
                return self.producers[path]
            path = path.rpartition("/")[0]
        return None


def graph(
    steps: tuple[Step, ...],
    *,
    env: Mapping[str, Any] | None = None,
    where: Where | None = None,
) -> Graph:
    """Return the graph of `steps`.

    Raises ConfigError: "two-producers", "missing-producer" (a path under out/ that nobody
    makes), "cycle", each naming the steps and where they stand.
    """
    at: Where = where or (lambda step, _field, _value: f"step {step}")
    producers = makers_of(steps, at)
    folders = folders_of(producers)
    before: dict[str, tuple[str, ...]] = {}
    for step in steps:
        first = dict.fromkeys(step.needs)
        for dep in step.deps:
            found = makers(dep, producers, folders)
            if not found and under(dep, "out"):
                raise ConfigError(
                    f"{at(step.name, 'deps', dep)}: no step makes {dep}, which {step.name} needs",
                    code="missing-producer",
                    hint=f"add a step with outs: [{dep}], or correct the path",
                    details={"step": step.name, "path": dep},
                )
            first |= dict.fromkeys(found)
        before[step.name] = tuple(first)
    by_name = {step.name: step for step in steps}
    order = in_order(before, at)
    after: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for earlier in before[name]:
            after[earlier].append(name)
    return Graph(
        {name: by_name[name] for name in order},
        before,
        producers,
        env or {},
        {name: tuple(later) for name, later in after.items()},
    )


def open_graph(root: Path, *, cache: Path | None = None, now: datetime | None = None) -> Graph:
    """Return the graph of the project in `root`; `cache` is a folder that keeps parsed files, `now`
    the time that says which partitions there are.

    Raises what `load` and `graph` raise.
    """
    from mlops_cli.pipeline import parsed

    def make() -> dict[str, object]:
        from mlops_cli.pipeline.lower import as_json
        from mlops_cli.pipeline.reading import read

        made, reads, span = read(root, now)
        return {
            "span": span,
            "reads": {name: _digest(root, name) for name in sorted(reads)},
            "steps": as_json(tuple(made.steps.values())),
            "before": {name: list(first) for name, first in made.before.items()},
            "producers": dict(made.producers),
            "env": dict(made.env),
            "after": {name: list(later) for name, later in made.after.items()},
        }

    try:
        data = (root / "pipeline.yaml").read_bytes()
    except OSError:
        data = b""  # load says what is wrong

    def holds(known: Any) -> bool:
        if known["span"] and not known["span"][0] <= _moment(now) < known["span"][1]:
            return False
        return all(_digest(root, name) == digest for name, digest in known["reads"].items())

    maker = f"graph {_revision()}"
    value = parsed.remembered(data, make, maker=maker, cache=cache, holds=holds)
    return Graph(
        {step["name"]: from_json(step) for step in value["steps"]},
        {name: tuple(first) for name, first in value["before"].items()},
        value["producers"],
        value["env"],
        {name: tuple(later) for name, later in value["after"].items()},
    )


def of_pipeline(pipeline: Pipeline) -> Graph:
    """Return the graph of a model that is already loaded."""
    from mlops_cli.pipeline.lower import lower
    from mlops_cli.pipeline.model import to_plain

    return graph(lower(pipeline), env=to_plain(pipeline.env))


def place_of_step(root: Path, step: str, field_: str = "", value: str = "") -> str:
    """Return "pipeline.yaml:12:5" for a step, or for one path of it."""
    from mlops_cli.pipeline.load import load_with_places
    from mlops_cli.pipeline.reading import place

    loaded = load_with_places(root)
    return place(loaded)(step, field_, value)


def _moment(now: datetime | None) -> float:
    return time.time() if now is None else now.timestamp()


def _digest(root: Path, name: str) -> str | None:
    try:
        return hashlib.sha256((root / name).read_bytes()).hexdigest()
    except OSError:
        return None


def _revision() -> str:
    """Return what changes when the code that lowers changes, in an installed or edited package."""
    here = Path(__file__).parent
    return " ".join(str((here / f"{file}.py").stat().st_mtime_ns) for file in _LOWERING.split())
