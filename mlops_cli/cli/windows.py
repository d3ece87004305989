"""One window: claimed, run through the same doors as by hand, recorded."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import resource
import signal
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.commands.run import act, machine
from mlops_cli.cli.ran import Ran
from mlops_cli.errors import MlopsError
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.record import Record, record, timestamp
from mlops_cli.pipeline.checks.triggers import RETRAIN
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.triggers import hold
from mlops_cli.pipeline.triggers.claim import Claim
from mlops_cli.pipeline.triggers.outlook import Due, State
from mlops_cli.vcs.claims import Board

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project


@dataclass
class Windows:
    """Takes windows and runs them, for this clone."""

    ctx: Context
    project: Project
    board: Board
    pipeline: Pipeline
    graph: Graph
    parts: RunParts

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The ledger of this clone; its writer is the name of this machine on claims."""
        return open_ledger(self.project.git)

    @functools.cached_property
    def actor(self) -> str:
        """Who ticks, as git knows them."""
        return str(self.project.git.identity())

    def turn(self, due: Due) -> bytes:
        """Return an order that is each machine's own, so that they do not all want the same."""
        return hashlib.sha256(f"{self.ledger.writer}\0{due.name}".encode()).digest()

    def take(self, due: Due, state: State) -> Claim | None:
        """Claim a window; None where somebody was faster."""
        now, machine = self.ctx.now(), self.ledger.writer
        told = self._record(due, "claimed", now, now)
        claim = hold.claim_of(due, state, machine=machine, now=now, record=str(told.digest))
        turn = int.from_bytes(hashlib.sha256(machine.encode()).digest()[:4])
        made = hold.take(self.board, claim, due, state, turn=turn)
        if made is not None:
            self.ledger.spool(told)
        return made

    def run(self, due: Due, claim: Claim, state: State) -> tuple[Ran, Claim]:
        """Run a window that is claimed; return what became of it, and the claim as it stands then.

        Raises StateRefused ("claim-lost") where another machine took it over meanwhile.
        """
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
        ran = Ran(due, "failed" if error else "done", "", run, seconds, cpu, error)
        return self._finish(due, held.claim, state, now, ran)

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
                self.pipeline,
                due.run.removeprefix(RETRAIN),
                parents=causes,
                reason="; ".join(due.because),
                jobs=jobs,
            ).run.run_id
        named = self.graph.named(due.run)
        trigger = self.pipeline.triggers[due.trigger]
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
        trigger = self.pipeline.triggers[due.trigger]
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


def _stop() -> None:
    """End the run of this process as its own SIGTERM would."""
    if callable(signal.getsignal(signal.SIGTERM)):  # as `interruptible` made it: a run goes on
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _cpu() -> float:
    """Return the seconds of CPU that this process and all its children that ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
