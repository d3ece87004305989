"""What a run sees as it goes on: the digests of paths, and the locks, as they are by now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlops_cli.pipeline.globs import LISTED, expand, is_glob
from mlops_cli.pipeline.keys.code import closure
from mlops_cli.pipeline.keys.key import UNKNOWN
from mlops_cli.pipeline.planning.look import digest_at
from mlops_cli.pipeline.planning.plan import Item, World, forget_parts, judge, partial
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import Lock, find_lock

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.parts import RunParts
    from mlops_cli.pipeline.planning.prospect import Prospect


@dataclass(slots=True)
class Sight:
    """What was looked at to make the plan, kept up with what steps do."""

    parts: RunParts
    found: Prospect
    since: int  # when the look began, in nanoseconds of the clock
    locks: dict[str, Lock] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)  # outputs of this run
    _paths: dict[str, str | None] = field(default_factory=dict)
    _partial: frozenset[str] = frozenset()
    _world: World = field(init=False)

    def __post_init__(self) -> None:
        self.locks = dict(self.found.locks)
        self._world = self.found.world
        self._paths = dict(self._world.paths)
        self._partial = partial(self.found.graph, self._paths)

    def digest(self, path: str) -> str | None:
        """Return the digest of what is at `path` now; it is read."""
        return digest_at(self.parts.root, path, stats=self.parts.stats, store=self.parts.cache)

    def known(self, path: str) -> str | None:
        """Return the digest of what is at `path`; it is read when nothing is known of it."""
        known = self._paths.get(path)
        return self.digest(path) if known in (None, UNKNOWN) else known

    def judge(self, planned: Item) -> Item:
        """Return what to do with a step, all before it being done: it may turn out unchanged."""
        step = planned.step
        for path in {*step.deps, *step.outs}:
            if self._paths.get(path) == UNKNOWN or path in self._partial:
                if is_glob(path):
                    self._list(path)
                else:
                    self._paths[path] = self.digest(path)
        codes = {reason.code for reason in planned.because}
        return judge(
            step,
            self.locks.get(step.name),
            self._paths,
            self._world,
            recall=self.found.recall,
            forced="forced" in codes,
            interrupted="interrupted" in codes,
        )

    def changed_by_others(self, step: Step, mine: Collection[str]) -> bool:
        """Return whether another run wrote a lock of `step`, or of a step right before it, since
        this was last asked; `mine` are steps whose locks this run wrote."""
        changed = False
        for name in (step.name, *self.found.graph.before[step.name]):
            if name in mine:
                continue
            now = find_lock(self.parts.root, name)
            if now != self.locks.get(name):
                changed = True
                self.locks.pop(name, None)
                if now:
                    self.locks[name] = now
        if changed:
            paths = {path for path in (*step.deps, *step.outs) if "://" not in path}
            self._paths |= dict.fromkeys(paths, UNKNOWN)
        return changed

    def _list(self, pattern: str) -> None:
        """Look again for what `pattern` stands for, and at each of that."""
        found = expand(self.parts.root, pattern, self.found.graph.producers)
        self._world = replace(self._world, globs={**self._world.globs, pattern: found})
        self._paths |= {path: self.digest(path) for path in found}
        self._paths[pattern] = LISTED if found else None

    def edited(self, step: Step, parts: Mapping[str, Any]) -> list[str]:
        """Return what `step` read that is no longer what `parts` of its key say: it was edited
        after the plan was made, and nobody knows which of the two the step saw."""
        inputs: Mapping[str, str] = parts.get("inputs", {})
        found = [
            path
            for path, digest in inputs.items()
            if path not in self._made and self._is_young(path) and self.digest(path) != digest
        ]
        code = parts.get("code", {})
        if any(self._is_young(file) for file in code):
            now = closure(self.parts.root, step.code, cache=self.parts.parsed)
            found += [file for file in code if now.get(file) != code[file]]
        return found

    def _is_young(self, path: str) -> bool:
        try:
            return (self.parts.root / path).stat().st_mtime_ns >= self.since
        except OSError:
            return False

    def made(self, step: Step, lock: Lock) -> None:
        """Take note of what `step` made."""
        self.locks[step.name] = lock
        self._made |= lock.outputs.keys()
        self._paths |= {path: out.digest for path, out in lock.outputs.items()}
        forget_parts(self._paths, self._partial, step)
