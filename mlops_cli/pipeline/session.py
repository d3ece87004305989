"""The middle of a run: steps started as their inputs are ready, each attempt told to the ledger."""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import IntegrityError, MlopsError, NotFound
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.record import Code, Record, record, timestamp
from mlops_cli.pipeline import marker, params, process
from mlops_cli.pipeline.attempt import Done, Order, attempt, check_params
from mlops_cli.pipeline.lock import FOLDER, Lock, Output
from mlops_cli.pipeline.look import digest_at
from mlops_cli.pipeline.marker import Marker
from mlops_cli.pipeline.plan import UNKNOWN, Item, Plan, forget_parts, judge, partial
from mlops_cli.pipeline.restore import keep, restore
from mlops_cli.pipeline.runner import Clock
from mlops_cli.pipeline.settle import Settling
from mlops_cli.progress import Progress

if TYPE_CHECKING:
    from mlops_cli.pipeline.execute import Prospect, RunParts, RunResult

LOGS = ".mlops/logs"


class Session:
    """One run under way. The main thread decides and writes; a thread a step waits for a child."""

    def __init__(
        self, parts: RunParts, now: Clock, progress: Progress, parents: tuple[str, ...]
    ) -> None:
        self.parts, self.now, self.progress, self.parents = parts, now, progress, parents
        self.run_id = f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self.groups = process.Groups()
        self.settling = Settling(parts.root, parts.cache, parts.stats, self.ledger)
        self.did: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.metrics: dict[str, Mapping[str, float]] = {}
        self.failed: dict[str, MlopsError] = {}
        self.kept: dict[str, dict[str, str]] = {}
        self.items: dict[str, Item] = {}
        self.paths: dict[str, str | None] = {}
        self.extra: list[str] = []  # .gitignore files that were changed
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._ledger = parts.ledger
        self._facts: dict[str, Any] = {}

    def ledger(self) -> Ledger:
        """Return the ledger, opened when the first record is made."""
        if self._ledger is None:
            self._ledger = open_ledger(self.parts.git)
        return self._ledger

    def recover(self, left: list[Marker]) -> None:
        """Put back what a run that was killed left half written, and record its attempts."""
        marker.end_survivors({one.attempt for one in left})
        for one in left:
            marker.put_back(self.parts.root, one)
            body: dict[str, Any] = {
                "step": one.step,
                "step_kind": one.kind,
                "key": one.key,
                "status": "killed",
                "started": one.started,
                "seconds": None,
                "inputs": one.inputs,
                "outputs": {},
                "params": one.params,
                "metrics": {},
                "facts": {},
                "environment": None,
                "log": None,
                "error": {"code": "interrupted", "message": "mlops was killed while it ran"},
            }
            told = record("run", time=self.now(), actor=self.actor, run=one.run, **body)
            self.settling.record(one.step, told)
            self.progress.say(f"{one.step} was interrupted; its former outputs are back.")

    @property
    def actor(self) -> str:
        if "actor" not in self._facts:
            self._facts["actor"] = str(self.parts.git.identity())
        return str(self._facts["actor"])

    def carry_out(self, found: Prospect, *, jobs: int, keep_going: bool) -> MlopsError | None:
        """Do what the plan says; return the error of the first step that failed."""
        self.found, self.paths = found, dict(found.world.paths)
        self.parts_of_outs = partial(found.graph, self.paths)
        planned = {item.step.name: item for item in found.plan.items}
        self._ignore_outputs(planned.values())
        before = {
            name: [first for first in found.graph.before[name] if first in planned]
            for name in planned
        }
        missing = {name: len(first) for name, first in before.items()}
        ready = deque(name for name, count in missing.items() if count == 0)
        running = 0
        total = sum(item.stale for item in planned.values())
        with self.progress.task("run", total=total, unit="steps") as task:
            try:
                while ready or running:
                    while ready and running < jobs and (keep_going or not self.failed):
                        name = ready.popleft()
                        started = self._begin(planned[name], [self.items[n] for n in before[name]])
                        if started:
                            running += 1
                        else:
                            task.advance(planned[name].stale)
                            ready += self._free(name, missing, planned)
                    if not running:
                        break
                    done = self._next()
                    if done is not None:
                        running -= 1
                        self._settle(done)
                        task.advance(1)
                        if done.error is None:
                            ready += self._free(done.order.step.name, missing, planned)
                    if self.settling.due:
                        self.settling.flush()
            except BaseException:
                self._stop(running)
                raise
        return next(iter(self.failed.values()), None)

    def _free(self, name: str, missing: dict[str, int], planned: Mapping[str, Item]) -> list[str]:
        """Return the steps that waited for `name` and for nothing else any more."""
        freed: list[str] = []
        for later in self.found.graph.after.get(name, ()):
            if later in planned:
                missing[later] -= 1
                if missing[later] == 0:
                    freed.append(later)
        return freed

    def _next(self) -> Done | None:
        try:
            return self._done.get(timeout=0.5)
        except queue.Empty:
            return None

    def _begin(self, planned: Item, first: list[Item]) -> bool:
        """Decide about a step whose inputs are ready; return whether a child was started."""
        step = planned.step
        item = planned
        if any(one.stale for one in first):
            for path in {*step.deps, *step.outs}:
                if self.paths.get(path) == UNKNOWN or path in self.parts_of_outs:
                    self.paths[path] = self._digest(path)
            forced = any(reason.code == "forced" for reason in planned.because)
            lock = self.found.locks.get(step.name)
            item = judge(
                step, lock, self.paths, self.found.world, recall=self.found.recall, forced=forced
            )
            if not item.stale:
                self.did[step.name] = "unchanged"
                self.progress.say(f"{step.name} is unchanged: its inputs came out the same.")
            elif item.because == planned.because[:0]:
                item = replace(item, because=planned.because)
        self.items[step.name] = item
        if item.action == "restore" and self._restore(item):
            return False
        if not item.stale:
            return False
        item = replace(item, action="run")
        self.items[step.name] = item
        self._start(item)
        return True

    def _digest(self, path: str) -> str | None:
        return digest_at(self.parts.root, path, stats=self.parts.stats, store=self.parts.cache)

    def _restore(self, item: Item) -> bool:
        """Bring outputs back from the cache; False when an object is missing or damaged."""
        assert item.seen is not None and item.key is not None
        began = self.now()
        now = {path: self._digest(path) for path in item.seen.outputs}
        try:
            kept = restore(
                self.parts.root,
                item.seen.outputs,
                now,
                cache=self.parts.cache,
                stats=self.parts.stats,
            )
        except (NotFound, IntegrityError) as problem:
            self.progress.say(f"{item.step.name} cannot be restored: {problem.message}.")
            return False
        name = item.step.name
        self.paths |= {path: out.digest for path, out in item.seen.outputs.items()}
        forget_parts(self.paths, self.parts_of_outs, item.step)
        lock = Lock(
            name,
            item.key.digest,
            item.key.parts,
            item.seen.outputs,
            item.seen.metrics,
            item.seen.facts,
        )
        told = self._record(item, "cached", began, 0.0, lock=lock, kept=kept)
        self.settling.result(lock, told)
        self.did[name], self.seconds[name], self.metrics[name] = "restored", 0.0, lock.metrics
        self.progress.say(f"{name} restored from the run cache.")
        return True

    def _start(self, item: Item) -> None:
        step, root = item.step, self.parts.root
        assert item.key is not None
        there = {out: os.path.lexists(root / out) for out in step.outs}
        kept: dict[str, str] = {}
        lock = self.found.locks.get(step.name)
        for out in (out for out, present in there.items() if present):
            digest = self.paths.get(out)
            digest = self._digest(out) if digest in (None, UNKNOWN) else digest
            saved = keep(root, out, digest, cache=self.parts.cache, stats=self.parts.stats)
            made_here = lock and out in lock.outputs and lock.outputs[out].digest == saved
            if saved and not made_here:
                kept[out] = saved
                self.progress.say(f"{out} was changed by hand; it is kept as {saved}")
        self.kept[step.name] = kept
        given = {ref: self.found.world.params[ref] for ref in step.params}
        check_params(step, given)
        began = self.now()
        order = Order(
            step,
            Marker(
                step.name,
                self.run_id,
                step.kind,
                item.key.digest,
                timestamp(began),
                there,
                item.key.parts.get("inputs", {}),
                item.key.parts.get("params", {}),
            ),
            root,
            root / LOGS / self.run_id / f"{step.name}.log",
            given,
            self._environ(),
            self.parts.python,
        )
        threading.Thread(
            target=lambda: self._done.put(self._attempt(order)), name=step.name, daemon=True
        ).start()

    def _attempt(self, order: Order) -> Done:
        try:
            return attempt(order, self.groups, self.now)
        except OSError as exc:
            from mlops_cli.errors import OutsideWorld

            problem = OutsideWorld(
                f"step {order.step.name} cannot run: {exc}",
                code="cannot-run",
                hint="mend it and run the same command again",
            )
            problem.__cause__ = exc
        except Exception as exc:  # our bug: told by the main thread, with its traceback
            problem_: Any = exc
            return Done(order, 0.0, error=problem_)
        marker.put_back(order.root, order.marker)
        return Done(order, 0.0, error=problem)

    def _environ(self) -> dict[str, str]:
        environ = dict(self.parts.environ)
        # `python` in a command is the interpreter that runs mlops, whose version is in the key
        here = str(Path(self.parts.python).parent)
        environ["PATH"] = os.pathsep.join([here, environ.get("PATH", os.defpath)])
        environ.setdefault("PYTHONUNBUFFERED", "1")
        return environ

    def _settle(self, done: Done) -> None:
        """Take what an attempt left: outputs into the cache, or the error into the record."""
        step = done.order.step
        item = self.items[step.name]
        began = _moment(done.order.marker.started)
        error = done.error
        if error is not None and not isinstance(error, MlopsError):
            raise error
        lock: Lock | None = None
        if error is None:
            assert item.key is not None
            outputs: dict[str, Output] = {}
            try:
                outputs = {out: self.settling.store(out) for out in step.outs}
            except MlopsError as problem:
                marker.put_back(self.parts.root, done.order.marker)
                error = problem
            else:
                outcome = done.outcome
                parts = item.key
                lock = Lock(
                    step.name,
                    parts.digest,
                    parts.parts,
                    outputs,
                    dict(outcome.metrics),
                    dict(outcome.facts),
                )
        status = "done" if error is None else "killed" if done.killed else "failed"
        told = self._record(
            item,
            status,
            began,
            done.seconds,
            lock=lock,
            kept=self.kept.get(step.name, {}),
            log=done.order.log,
            error=error,
        )
        self.seconds[step.name] = done.seconds
        if lock is not None:
            self.paths |= {out: made.digest for out, made in lock.outputs.items()}
            self.metrics[step.name] = lock.metrics
            self.settling.result(lock, told)
            self.did[step.name] = "ran"
            self.progress.say(f"{step.name} done in {done.seconds:.1f} s{_shown(lock.metrics)}.")
        else:
            assert error is not None
            self.settling.record(step.name, told)
            self.failed[step.name] = error
            self.progress.say(f"{step.name} failed after {done.seconds:.1f} s.")

    def _record(
        self,
        item: Item,
        status: str,
        began: datetime,
        seconds: float,
        *,
        lock: Lock | None = None,
        kept: Mapping[str, str] | None = None,
        log: Path | None = None,
        error: MlopsError | None = None,
    ) -> Record:
        assert item.key is not None
        parts = item.key.parts
        given = {
            name: value
            for ref, part in parts.get("params", {}).items()
            for name, value in params.flat(ref, part).items()
        }
        facts = dict(lock.facts) if lock else {}
        if kept:
            facts["kept"] = dict(kept)
        words = log.read_bytes() if log is not None and log.exists() else b""
        return record(
            "run",
            time=self.now(),
            actor=self.actor,
            code=self._code(),
            run=self.run_id,
            parents=self.parents,
            step=item.step.name,
            step_kind=item.step.kind,
            key=item.key.digest,
            status=status,
            started=timestamp(began),
            seconds=round(seconds, 3),
            inputs=dict(parts.get("inputs", {})),
            outputs={path: out.digest for path, out in lock.outputs.items()} if lock else {},
            params=given,
            metrics=dict(lock.metrics) if lock else {},
            facts=facts,
            environment=self._environment(parts["environment"]),
            log=self.settling.put(words) if words else None,
            error={"code": error.code, "message": error.message} if error else None,
            because=[reason.sentence() for reason in item.because],
        )

    def _code(self) -> Code:
        if "code" not in self._facts:
            from mlops_cli.ledger.code import code_now

            self._facts["code"] = code_now(self.parts.git)
        code: Code = self._facts["code"]
        return code

    def _environment(self, part: dict[str, str]) -> dict[str, Any]:
        if "environment" not in self._facts:
            from mlops_cli.pipeline.environment import told

            self._facts["environment"] = told(part)
        environment: dict[str, Any] = self._facts["environment"]
        return environment

    def _ignore_outputs(self, items: Collection[Item]) -> None:
        """Keep outputs out of git: those under out/ are, others get a line beside them."""
        from mlops_cli.pipeline.lower import under

        wanted = [
            out
            for item in items
            if item.stale
            for out in item.step.outs
            if not under(out, "out") and out not in item.step.metrics
        ]
        if not wanted:
            return
        from mlops_cli.vcs.ignore import add_lines, escaped

        listing = "\0".join(wanted)
        answer = self.parts.git.call("check-ignore", "--no-index", "-z", "--stdin", input=listing)
        ignored = set(answer.out.decode("utf-8", "surrogateescape").split("\0"))
        for out in wanted:
            if out not in ignored:
                folder, _, name = out.rpartition("/")
                file = Path(folder, ".gitignore")
                if add_lines(self.parts.root / file, [escaped(name)]):
                    self.extra.append(file.as_posix())

    def _stop(self, running: int) -> None:
        """End what runs, take back its half-written outputs, and record it as killed."""
        self.groups.stop()
        for _ in range(running):
            try:
                done = self._done.get(timeout=process.GRACE)
            except queue.Empty:
                break  # its marker stays, and the next run puts its outputs back
            self._settle(done)

    def finish(self, *, commit: bool) -> str | None:
        """Write all that waits, hand the records to git, commit the locks that changed."""
        self.settling.flush()
        if self.settling.digests:
            self.ledger().flush()
        return self.commit() if commit else None

    def commit(self) -> str | None:
        """Commit the locks (and metrics files) that differ from HEAD; None when none do."""
        git = self.parts.git
        metrics = [
            path
            for name, what in self.did.items()
            if what != "unchanged"
            for path in self.items[name].step.metrics
        ]
        changed = git.dirty([FOLDER, *metrics, *self.extra])
        if not changed:
            return None
        from mlops_cli.vcs.commit import commit_paths

        done = [name for name, what in self.did.items() if what in ("ran", "restored")]
        subject = "run: " + " ".join(done or ["what an earlier run made"])
        if len(subject) > 60:
            subject = f"run: {len(done)} steps, {done[0]} to {done[-1]}"[:60]
        body = [
            f"{name}: {self.did[name]}"
            + (f" in {self.seconds[name]:.1f} s" if self.did[name] == "ran" else "")
            + _shown(self.metrics.get(name, {}))
            for name in done[:50]
        ]
        body += [f"and {len(done) - 50} more"] if len(done) > 50 else []
        body += [f"{name}: failed" for name in self.failed]
        trailers = {"Mlops-Run": self.run_id}
        if done:
            trailers["Mlops-Steps"] = " ".join(done)
        return commit_paths(git, changed, subject=subject, body="\n".join(body), trailers=trailers)

    def result(self, plan: Plan, commit: str | None) -> RunResult:
        """Return what was done."""
        from mlops_cli.pipeline.execute import RunResult

        items = tuple(self.items.get(item.step.name, item) for item in plan.items)
        return RunResult(
            self.run_id,
            items,
            self.did,
            self.settling.digests,
            self.seconds,
            self.metrics,
            commit,
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shown(metrics: Mapping[str, float]) -> str:
    """Return up to three metrics as people read them: ", roc_auc 0.703"."""
    return "".join(f", {name} {value:.4g}" for name, value in list(metrics.items())[:3])
