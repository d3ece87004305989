"""The begin of a step whose inputs are ready: held, judged once more, restored or ordered."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.ledger.record import timestamp
from mlops_cli.pipeline.attempts.errand import Order, check_params, inherited
from mlops_cli.pipeline.planning.plan import Item
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.running.recover import put_right
from mlops_cli.pipeline.running.restore import keep_all, restore
from mlops_cli.pipeline.running.results import Results
from mlops_cli.pipeline.running.slots import Slots, Taken
from mlops_cli.pipeline.running.tell import Account
from mlops_cli.pipeline.traces import marker
from mlops_cli.pipeline.traces.holding import Held, Holder, live
from mlops_cli.pipeline.traces.keeping import marked
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.progress import Progress

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.parts import RunParts
    from mlops_cli.pipeline.planning.prospect import Prospect

LOGS = ".mlops/logs"

Waits = Literal["over", "elsewhere", "full"]  # nothing to run; another run has it; no room for it


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that is to run now, and what it holds."""

    order: Order
    item: Item
    taken: Taken
    kept: Mapping[str, str]  # what a hand had changed, by path


@dataclass(slots=True)
class Beginning:
    """Begins one step after another. Used by one thread."""

    parts: RunParts
    found: Prospect
    now: Clock
    progress: Progress
    results: Results
    slots: Slots
    holder: Holder
    boxed: bool = False  # whether commands run in sandboxes
    items: dict[str, Item] = field(default_factory=dict)  # as it was decided in the end
    _environ: dict[str, str] = field(default_factory=dict)  # what commands inherit
    _told: set[str] = field(default_factory=set)  # steps of which was said that they wait

    def begin(self, planned: Item, running: Collection[str]) -> Begun | Waits:
        """Decide about a step, and do what takes no child: restore it, or leave it as it is."""
        name, sight, did = planned.step.name, self.results.sight, self.results.deeds.did
        item = self.items[name] = self._decided(planned)
        if not item.stale:
            return "over"
        if item.action == "blocked":
            self.results.lacking(item)
            return "over"
        held = self._claim(item, running)
        if held is None:
            if name not in self._told:
                self._told.add(name)
                self.progress.say(f"{name} waits for another mlops run.")
            return "elsewhere"
        if sight.changed_by_others(item.step, did):
            item = self.items[name] = sight.judge(planned)
            if not item.stale:
                self.holder.release(held)
                did[name] = "shared"
                self.progress.say(f"{name} was made by another run.")
                return "over"
        if item.action == "restore" and self._restore(item, held):
            return "over"
        taken = self.slots.take(item.step)
        if taken is None:
            self.holder.release(held)
            return "full"
        self.items[name] = item = replace(item, action="run")
        try:
            return self._ordered(item, held, taken)
        except Exception:  # nothing was begun; whoever called may live on, and run again
            self.give_up(held, taken)
            raise

    def give_up(self, held: Held, taken: Taken) -> None:
        """Let go of a step that was not begun after all."""
        self.holder.release(held)
        self.slots.give(taken)

    def _decided(self, planned: Item) -> Item:
        """Return the plan for a step once all before it are done: it may turn out unchanged."""
        name = planned.step.name
        first = [self.items[one] for one in self.found.graph.before[name] if one in self.items]
        if planned.key is not None and not any(one.stale for one in first):
            return planned
        item = self.results.sight.judge(planned)
        if planned.stale and not item.stale:
            self.results.deeds.did[name] = "unchanged"
            self.progress.say(f"{name} is unchanged: its inputs came out the same.")
        return item

    def _claim(self, item: Item, running: Collection[str]) -> Held | None:
        """Hold the step, so that no other run does it; None while one does it or a neighbour."""
        name, graph = item.step.name, self.found.graph
        held = self.holder.hold(name)
        if held is None:
            return None
        if left := marker.left_in(held):
            results = self.results
            put_right(held, left, results.settling, results.teller, self.progress)
            return self._claim(item, running)
        around = (*graph.before[name], *graph.after.get(name, ()))
        did = self.results.deeds.did
        # held first and looked around then: of two runs that do so, one sees the other
        if live(self.parts.root, [one for one in around if one not in did and one not in running]):
            self.holder.release(held)
            return None
        return held

    def _restore(self, item: Item, held: Held) -> bool:
        """Bring outputs back from the cache; False when an object is missing or damaged."""
        assert item.seen is not None and item.key is not None
        parts, seen, name = self.parts, item.seen, item.step.name
        began = self.now()
        there = {path: self.results.sight.digest(path) for path in seen.outputs}
        if parts.elsewhere is not None:
            parts.elsewhere().bring({item.key.digest: seen})
        try:
            kept = restore(parts.root, seen.outputs, there, cache=parts.cache, stats=parts.stats)
        except (NotFound, IntegrityError) as problem:
            self.progress.say(f"{name} cannot be restored and runs: {problem.message}.")
            return False
        self._tell_kept(kept)
        keeping = item.step.keeping
        made = {path: marked(path, out, keeping) for path, out in seen.outputs.items()}
        lock = Lock(name, item.key.digest, item.key.parts, made, seen.metrics, seen.facts)
        self.results.made(item, lock, Account("cached", began, 0.0, lock, kept), "restored", held)
        self.progress.say(f"{name} restored from the run cache.")
        return True

    def _ordered(self, item: Item, held: Held, taken: Taken) -> Begun:
        """Return the order to run a step, whose former outputs are safe in the cache."""
        step, root, sight = item.step, self.parts.root, self.results.sight
        assert item.key is not None
        given = {ref: self.found.world.params[ref] for ref in step.params}
        check_params(step, given)
        there = {out: os.path.lexists(root / out) for out in step.outs}
        now = {out: sight.known(out) for out, present in there.items() if present}
        lock = sight.locks.get(step.name)
        kept = keep_all(root, now, lock, cache=self.parts.cache, stats=self.parts.stats)
        self._tell_kept(kept)
        if not self._environ:
            self._environ = inherited(self.parts.environ, self.parts.python)
            fsio.make_folder(root / LOGS / self.results.teller.run_id)
        tried = self.results.tries.get(step.name, 0)
        log = f"{step.name}.{tried + 1}.log" if tried else f"{step.name}.log"
        run_id = self.results.teller.run_id
        order = Order(
            step,
            marker.of(item.key, step, run_id, timestamp(self.now()), there),
            item.key.parts,
            held,
            root,
            root / LOGS / run_id / log,
            given,
            {**self._environ, **taken.environ},
            self.parts.python,
            self.boxed,
            self.found.room(step, self.parts, item.key.parts["environment"]),
            tried,
        )
        return Begun(order, item, taken, kept)

    def _tell_kept(self, kept: Mapping[str, str]) -> None:
        for path, digest in kept.items():
            self.progress.say(f"{path} was changed by hand; the cache keeps it as {digest}")
