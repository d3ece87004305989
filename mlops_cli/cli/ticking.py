"""A tick carried out: windows claimed one by one, run through the same doors as by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_cli.cli import history, sharing
from mlops_cli.cli.ran import Ran
from mlops_cli.cli.windows import Windows
from mlops_cli.errors import OutsideWorld, StateRefused
from mlops_cli.ledger.index import open_index
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.reading.load import Loaded, load_with_places
from mlops_cli.pipeline.triggers import due as triggers
from mlops_cli.pipeline.triggers.outlook import State
from mlops_cli.pipeline.triggers.situation import read_claims, situation, watch
from mlops_cli.vcs import exchange
from mlops_cli.vcs.claims import Board

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project

LOST = 200  # races after which a tick leaves the rest to the others


@dataclass
class Ticker:
    """One tick of one clone: reads the state, and runs what is due."""

    project: Project
    board: Board
    loaded: Loaded
    graph: Graph
    parts: RunParts
    windows: Windows
    ran: list[Ran] = field(default_factory=list)

    @classmethod
    def of(cls, ctx: Context) -> Ticker:
        """Return the ticker of the project around; nothing is fetched yet."""
        project = ctx.project()
        parts = sharing.parts(ctx, project)
        loaded = load_with_places(project.root)
        graph = open_graph(project.root, cache=parts.parsed, now=ctx.now())
        remote = exchange.remote_of(project.git)
        board = Board(project.git, remote, ctx.settings.get("ledger.branch"))
        windows = Windows(ctx, project, board, loaded.pipeline, graph, parts)
        return cls(project, board, loaded, graph, parts, windows)

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
            due = windows[0] if not races else min(windows, key=self.windows.turn)
            claim = self.windows.take(due, state)
            if claim is None:  # others are at work, too
                races += 1
                self.board.refresh(claims_only=True)
                claims = read_claims(self.board)
                root = self.project.root
                state = watch(state.with_claims(claims), root, at, write=True)
                continue
            tried.add(due.name)
            ran, ended = self.windows.run(due, claim, state)
            self.ran.append(ran)
            state = state.with_claim(ended)
            if any(not one.cron for one in state.triggers.values()):
                self.refresh()  # what was run may be what another trigger waits for
                state = self.state(at, write=True)
        if self.ran and self.board.remote is not None:  # what could not go along with its claim
            history.send_waiting(self.windows.ctx, self.project.git, self.board.remote)
        return state


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
