"""A tick carried out: windows claimed one by one, run through the same doors as by hand."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import resource
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import sharing
from mlops_cli.cli.commands.run import act, machine
from mlops_cli.errors import MlopsError, OutsideWorld, StateRefused
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Record, record, timestamp
from mlops_cli.pipeline import execute, hold, triggers
from mlops_cli.pipeline.check_triggers import RETRAIN
from mlops_cli.pipeline.claim import Claim
from mlops_cli.pipeline.graph import Graph, open_graph
from mlops_cli.pipeline.load import Loaded, load_with_places
from mlops_cli.pipeline.model import duration
from mlops_cli.pipeline.outlook import Due, State
from mlops_cli.pipeline.parts import RunParts
from mlops_cli.pipeline.situation import read_claims, situation, watch
from mlops_cli.vcs import exchange
from mlops_cli.vcs.claims import Board

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project

LOST = 200  # races after which a tick leaves the rest to the others


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a window that this machine took."""

    due: Due
    outcome: str  # done | failed
    record: str
    run: str | None
    seconds: float
    cpu_seconds: float
    error: MlopsError | None = None


@dataclass
class Ticker:
    """One tick of one clone: reads the state, and runs what is due."""

    ctx: Context
    project: Project
    board: Board
    loaded: Loaded
    graph: Graph
    parts: RunParts
    ran: list[Ran] = field(default_factory=list)

    @classmethod
    def of(cls, ctx: Context) -> Ticker:
        """Return the ticker of the project around; nothing is fetched yet."""
        project = ctx.project()
        parts = sharing.parts(ctx, project)
        loaded = load_with_places(project.root)
        graph = open_graph(project.root, cache=parts.parsed, now=ctx.now())
        board = Board(project.git, exchange.remote_of(project.git))
        return cls(ctx, project, board, loaded, graph, parts)

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The ledger of this clone; its writer is the name of this machine on claims."""
        return open_ledger(self.project.git)

    @functools.cached_property
    def actor(self) -> str:
        """Who ticks, as git knows them."""
        return str(self.project.git.identity())

    def refresh(self) -> None:
        """Fetch claims, records and branches that triggers watch."""
        branches = [one.branch for one in self.loaded.pipeline.triggers.values() if one.branch]
        self.board.refresh(branches=branches)

    def state(self, now: datetime, *, write: bool) -> State:
        """Return the state as this clone knows it; `write` remembers what was watched."""
        from mlops_cli.features.read import count

        root = self.project.root
        with open_index(self.project.git) as index:
            state = situation(
                self.parts, self.loaded, self.graph, self.board, index,
                rows=lambda source: count(root, source.path),
            )  # fmt: skip
        return watch(state, root, now, write=write)

    def carry_out(self, at: datetime, *, trust_clock: bool) -> State:
        """Run what is due at `at`, each window by a claim of its own; return the state after it.

        A window that fails does not stop the next one. Raises StateRefused ("wrong-clock").
        """
        self.refresh()
        state = self.state(at, write=True)
        if not trust_clock:
            triggers.refuse_clock(state, at)
        tried: set[str] = set()  # what failed here is tried again by a later tick
        races = 0
        while races < LOST:
            windows = [one for one in triggers.due(state, at) if one.name not in tried]
            if not windows:
                break
            due = windows[0] if not races else min(windows, key=self._turn)
            claim = self._take(due, state)
            if claim is None:  # others are at work, too
                races += 1
                self.board.refresh(claims_only=True)
                claims = read_claims(self.board)
                root = self.project.root
                state = watch(dataclasses.replace(state, claims=claims), root, at, write=True)
                continue
            tried.add(due.name)
            state = self._run(due, claim, state)
            if any(not one.cron for one in state.triggers.values()):
                self.refresh()  # what was run may be what another trigger waits for
                state = self.state(at, write=True)
        return state

    def _turn(self, due: Due) -> bytes:
        """Return an order that is each machine's own, so that they do not all want the same."""
        return hashlib.sha256(f"{self.ledger.writer}\0{due.name}".encode()).digest()

    def _take(self, due: Due, state: State) -> Claim | None:
        now, machine = self.ctx.now(), self.ledger.writer
        told = self._record(due, "claimed", now, now)
        claim = hold.claim_of(due, state, machine=machine, now=now, record=str(told.digest))
        turn = int.from_bytes(hashlib.sha256(machine.encode()).digest()[:4])
        made = hold.take(self.board, claim, due, state, turn=turn)
        if made is not None:
            self.ledger.spool(told)
        return made

    def _run(self, due: Due, claim: Claim, state: State) -> State:
        self.ctx.progress.say(f"{due.name}: {due.because[-1]}.")
        lease = duration(state.triggers[due.trigger].lease)
        before, began = _cpu(), self.ctx.now()
        run: str | None = None
        error: MlopsError | None = None
        with hold.Hold(self.board, claim, lease, self.ctx.now, _stop) as held:
            try:
                with execute.interruptible():
                    run = self._through_the_door(due, str(claim.record))
            except MlopsError as problem:
                error = problem
                run = problem.details.get("run")
            except KeyboardInterrupt:
                if held.lost is None:
                    self._give_back(due, held)
                    raise
            except Exception as problem:  # our bug: the window is not tried for ever
                from mlops_cli.cli import failure

                error = failure.translate(problem, ["tick"])
        if held.lost is not None:
            raise held.lost
        cpu, now = _cpu() - before, self.ctx.now()
        seconds = (now - began).total_seconds()
        ran = self._finish(due, held.claim, state, now, Ran(
            due, "failed" if error else "done", "", run, seconds, cpu, error
        ))  # fmt: skip
        self.ran.append(ran[0])
        return state.with_claim(ran[1])

    def _give_back(self, due: Due, held: hold.Hold) -> None:
        """A person ended it: the window is as if nobody had claimed it."""
        now = self.ctx.now()
        parents = [str(held.claim.record), *self._causes(due)]
        self.ledger.append(self._record(due, "released", now, held.claim.claimed, parents=parents))
        held.__exit__()
        hold.release(self.board, held.claim, now=now)

    def _finish(
        self, due: Due, claim: Claim, state: State, now: datetime, ran: Ran
    ) -> tuple[Ran, Claim]:
        error = ran.error
        told = self._record(
            due,
            ran.outcome,
            now,
            claim.claimed,
            parents=[str(claim.record), *self._causes(due)],
            caused=ran.run,
            seconds=round(ran.seconds, 3),
            cpu_seconds=round(ran.cpu_seconds, 3),
            error={"code": error.code, "message": error.message} if error else None,
        )
        self.ledger.append(told)
        status: Any = ran.outcome
        ended = hold.finish(
            self.board, claim, status, now=now,
            along=[self.ledger.ref] if self.board.remote else [],
            cpu_seconds=ran.cpu_seconds, state=state,
        )  # fmt: skip
        return dataclasses.replace(ran, record=str(told.digest)), ended

    def _through_the_door(self, due: Due, parent: str) -> str | None:
        """Run what the trigger names, as `mlops run`, `mlops monitor` and a retraining do it."""
        ctx, project = self.ctx, self.project
        causes = [parent, *self._causes(due)]
        words = {"MLOPS_TRIGGER": due.trigger, "MLOPS_WINDOW": due.window}
        parts = dataclasses.replace(self.parts, environ={**self.parts.environ, **words})
        jobs = int(ctx.settings.get("run.jobs")) or execute.default_jobs()
        if due.run.startswith(RETRAIN):
            from mlops_cli.monitoring.retrain import retrain
            from mlops_cli.serving.parts import open_parts

            return retrain(
                open_parts(project, now=ctx.now, progress=ctx.progress),
                parts,
                self.loaded.pipeline,
                due.run.removeprefix(RETRAIN),
                parents=causes,
                reason="; ".join(due.because),
                jobs=jobs,
            ).run.run_id
        named = self.graph.named(due.run)
        trigger = self.loaded.pipeline.triggers[due.trigger]
        result = execute.run(
            parts,
            self.graph,
            named,
            now=ctx.now,
            jobs=jobs,
            force=trigger.until is not None,
            machine=machine(ctx.settings),
            warm=ctx.settings.get("run.warm"),
            parents=causes,
            progress=ctx.progress,
        )
        for name in named:
            if self.graph.steps[name].action:
                act(project, self.graph, name)
        return result.run_id or None

    def _causes(self, due: Due) -> list[str]:
        """Return the record that a window is due to: a decision, a result that missed a goal."""
        trigger = self.loaded.pipeline.triggers[due.trigger]
        return [str(due.seen["value"])] if trigger.on == "drift" or trigger.until else []

    def _record(
        self, due: Due, outcome: str, now: datetime, claimed: datetime, **fields: Any
    ) -> Record:
        return record(
            "claim",
            time=now,
            actor=self.actor,
            trigger=due.trigger,
            window=due.window,
            runs=due.run,
            outcome=outcome,
            claimed=timestamp(claimed),
            machine=self.ledger.writer,
            because=list(due.because),
            attempt=due.attempt,
            seen=dict(due.seen),
            **fields,
        )


def first_error(ran: Sequence[Ran]) -> MlopsError | None:
    """Return the error of the first window that failed, with what became of all."""
    error = next((one.error for one in ran if one.error), None)
    if error is not None:
        error.details["windows"] = [as_json(one) for one in ran]
    return error


def as_json(ran: Ran) -> dict[str, Any]:
    """Return what became of a window as plain values."""
    return {
        "trigger": ran.due.trigger,
        "window": ran.due.window,
        "runs": ran.due.run,
        "because": list(ran.due.because),
        "outcome": ran.outcome,
        "record": ran.record,
        "run": ran.run,
        "seconds": round(ran.seconds, 3),
        "cpu_seconds": round(ran.cpu_seconds, 3),
        "error": ran.error.code if ran.error else None,
    }


def pull(project: Project) -> None:
    """Bring the branch to where its remote is, if no merge is needed for that.

    Raises StateRefused ("cannot-pull"), OutsideWorld ("git-failed").
    """
    answer = project.git.call("pull", "--ff-only", "--quiet")
    if answer.code == 0:
        return
    said = answer.err.splitlines()[-1] if answer.err else "git pull failed"
    if any(word in answer.err for word in ("Could not read", "unable to access", "Could not res")):
        raise OutsideWorld(f"git cannot pull: {said}", code="git-failed", hint="git pull")
    raise StateRefused(
        f"git cannot bring the branch forward: {said}",
        code="cannot-pull",
        hint="git status; git pull --rebase, or push what was committed here",
        details={"stderr": answer.err[-2000:]},
    )


def _stop() -> None:
    """End the run of this process as its own SIGTERM would."""
    if callable(signal.getsignal(signal.SIGTERM)):  # as `interruptible` made it: a run goes on
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _cpu() -> float:
    """Return the seconds of CPU that this process and all its children that ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
