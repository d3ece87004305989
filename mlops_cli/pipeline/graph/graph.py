"""The graph of steps: what comes before what, and who makes what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.errors import NotFound
from mlops_cli.pipeline.paths import base
from mlops_cli.pipeline.step import Step


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
        from mlops_cli.pipeline.graph.choice import chosen

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
        from mlops_cli.pipeline.words.document import meant

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
