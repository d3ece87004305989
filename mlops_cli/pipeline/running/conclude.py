"""The end of a run in git: outputs kept out of it, the locks that changed in one commit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import fsio
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import FOLDER, path_of

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.prospect import Prospect
    from mlops_cli.vcs.repo import Git

LISTED = 50  # steps that the body of a commit names
SUBJECT = 60
MUTEX = ".mlops/run.lock"  # held for the moments in which a run writes to git
TURN = 600.0  # seconds to wait for it


@dataclass(slots=True)
class Deeds:
    """What became of the steps of a run, by name, in the order in which they ended."""

    did: dict[str, str] = field(default_factory=dict)  # ran | restored | shared | unchanged
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, Mapping[str, float]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @property
    def ran(self) -> dict[str, float]:
        """The seconds of the steps that ran to their end."""
        return {name: self.seconds[name] for name, what in self.did.items() if what == "ran"}

    @property
    def done(self) -> list[str]:
        """The steps that left a result."""
        return [name for name, what in self.did.items() if what in ("ran", "restored")]


def ignore_outputs(git: Git, root: Path, steps: Collection[Step]) -> list[str]:
    """Keep the outputs of `steps` out of git; return the .gitignore files that changed.

    What lies under out/ is ignored as a whole. Metrics files are small and stay in git.
    """
    wanted = [
        out
        for step in steps
        for out in (*step.outs, *((step.checkpoint,) if step.checkpoint else ()))
        if not under(out, "out") and out not in step.metrics
    ]
    if not wanted:
        return []
    from mlops_cli.vcs.ignore import add_lines, escaped

    answer = git.call("check-ignore", "--no-index", "-z", "--stdin", input="\0".join(wanted))
    ignored = set(answer.out.decode("utf-8", "surrogateescape").split("\0"))
    changed: list[str] = []
    for out in wanted:
        folder, _, name = out.rpartition("/")
        file = Path(folder, ".gitignore")
        if out not in ignored:
            (root / folder).mkdir(parents=True, exist_ok=True)
            if add_lines(root / file, [escaped(name)]) and file.as_posix() not in changed:
                changed.append(file.as_posix())
    return changed


def turn(root: Path) -> contextlib.AbstractContextManager[None]:
    """Hold what only one run at a time may do: writing to git."""
    return fsio.lock(root / MUTEX, what="mlops run", wait=TURN)


def uncommitted(git: Git, found: Prospect) -> list[str]:
    """Return what git does not have yet of what this run may commit: metrics files, and locks of
    its own steps, not of those that another run may be at."""
    metrics = [path for item in found.plan.items for path in item.step.metrics]
    mine = {path_of(item.step.name) for item in found.plan.items}
    others = {path_of(name) for name in found.graph.steps} - mine
    dirty = git.dirty([FOLDER, *metrics])
    if f"{FOLDER}/" in dirty:  # git knows no file of it yet
        dirty += [f"{FOLDER}/{name}" for name in os.listdir(git.root / FOLDER)]
    return [path for path in dirty if path not in others and not path.endswith("/")]


def commit(git: Git, run_id: str, deeds: Deeds, paths: Sequence[str]) -> str | None:
    """Commit those of `paths` that differ from HEAD; None when nothing does.

    What an earlier run left uncommitted, because it was killed or told so, is taken too.
    """
    changed = git.dirty(paths)
    if not changed:
        return None
    from mlops_cli.vcs.commit import commit_paths

    done = deeds.done
    subject = "run: " + " ".join(done or ["what an earlier run made"])
    if len(subject) > SUBJECT:
        subject = f"run: {len(done)} steps, {done[0]} to {done[-1]}"[:SUBJECT]
    body = [_line(name, deeds) for name in done[:LISTED]]
    body += [f"and {len(done) - LISTED} more"] if len(done) > LISTED else []
    body += [f"{name}: failed" for name in deeds.failed]
    trailers = {"Mlops-Run": run_id}
    if done:
        trailers["Mlops-Steps"] = " ".join(done)
    return commit_paths(git, changed, subject=subject, body="\n".join(body), trailers=trailers)


def shown(metrics: Mapping[str, float]) -> str:
    """Return up to three metrics as people read them: ", roc_auc 0.703"."""
    return "".join(f", {name} {_figure(value)}" for name, value in list(metrics.items())[:3])


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _line(name: str, deeds: Deeds) -> str:
    took = f" in {deeds.seconds[name]:.1f} s" if deeds.did[name] == "ran" else ""
    return f"{name}: {deeds.did[name]}{took}{shown(deeds.metrics.get(name, {}))}"
