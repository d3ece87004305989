"""One attempt at one step: a command, or a domain step in a child; what it left is its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mlops_cli import fsio, live
from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.attempts import reached, retry, sandbox, verdict, worker
from mlops_cli.pipeline.attempts.errand import Done, Order
from mlops_cli.pipeline.attempts.furnish import not_made, prepare
from mlops_cli.pipeline.attempts.process import Ended, Groups
from mlops_cli.pipeline.keys.params import merged
from mlops_cli.pipeline.keys.room import enter, refuse_without_mlops
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.runner import Outcome
from mlops_cli.pipeline.traces import checkpoint, leftover, marker
from mlops_cli.pipeline.traces.keeping import persists
from mlops_cli.pipeline.words import interpolate

LONG = 0.5  # seconds of a step beside which a look at all processes costs nothing


def attempt(order: Order, groups: Groups, clock: Callable[[], datetime]) -> Done:
    """Run the step; its outputs then stand at their places, or the former ones do."""
    step, root = order.step, order.root
    beside = marker.begin(order.held, order.marker)
    ended = Ended(0, 0.0, False)
    oom = retry.oom_kills() if step.retries else 0
    try:
        for out in step.outs:
            fsio.make_folder((root / out).parent)
        if step.checkpoint:
            checkpoint.prepare(root, step.name, step.checkpoint, order.marker.key)
        else:
            marker.remove(order.live)  # of a try before this one, which begins at the beginning
        _furnish(order, groups, clock)
        run = _command if step.kind == "command" else _domain
        ended, outcome = run(order, beside, groups, clock)
        marker.finish(
            order.held,
            seconds=ended.seconds,
            metrics=outcome.metrics,
            facts=outcome.facts,
            parts=order.parts,
        )
        return Done(order, ended.seconds, outcome, left=ended.left, beside=ended.beside)
    except _Failed as failed:
        ended, error = failed.ended, failed.error
        order.log.touch()  # the error names it, though the step may have said nothing
        marker.put_back(order.held, order.marker)
        killed = ended.code < 0 and groups.stopping
        classes = retry.classes(
            ended.code,
            ended.tail,
            timed_out=ended.timed_out,
            oom=bool(step.retries) and retry.oom_kills() > oom,
        )
        if error.code == "goal-missed":
            classes = (reached.MISSED,)
        return Done(order, ended.seconds, Outcome(), error, killed, classes, ended.left)


class _Failed(Exception):
    def __init__(self, ended: Ended, error: MlopsError) -> None:
        self.ended, self.error = ended, error


def _furnish(order: Order, groups: Groups, clock: Callable[[], datetime]) -> None:
    """Make the environment of the step, unless it has none of its own or it is there already."""
    room = order.room
    if room is None:
        return

    def do(words: list[str], environ: Mapping[str, str]) -> Ended:
        log, tail = order.log, order.tail
        return groups.run(words, cwd=order.root, environ=environ, log=log, tail=tail, clock=clock)

    try:
        ended = prepare(room, root=order.root, environ=order.environ, do=do)
        if ended is not None:
            raise _Failed(ended, not_made(room, order.step.name, order.log_name, ended))
        if order.step.kind != "command":
            refuse_without_mlops(room, order.step)
    except MlopsError as error:
        raise _Failed(Ended(1, 0.0, False), error) from error


def _command(
    order: Order, beside: Path, groups: Groups, clock: Callable[[], datetime]
) -> tuple[Ended, Outcome]:
    """Run a command where its outputs belong, the former ones aside meanwhile; or in a sandbox."""
    step, root = order.step, order.root
    box = sandbox.fill(root, step, order.parts, beside / "tree") if order.boxed else None
    base = box.tree if box else root
    if not box:
        _set_aside(order)
    lines = [interpolate.interpolate(line, order.params) for line in step.cmd]
    if step.until:
        lines = [line.replace(reached.TRY, str(order.tried + 1)) for line in lines]
    script = lines[0] if len(lines) == 1 else "\n".join(["set -e", *lines])
    ended = _run(order, groups, clock, ["/bin/sh", "-c", script], base / step.wdir, step.env)
    try:
        verdict.judge(step, order.log_name, ended, {out: base / out for out in step.outs})
        logged = live.parse(live.read(order.live)).last
        outcome = Outcome({**logged, **verdict.metrics(step, base)})
        reached.judge(step, order.log_name, outcome.metrics)
    except MlopsError as error:
        if box:
            error = sandbox.explained(error, box, root, step, ended.tail)
        raise _Failed(ended, error) from error
    if box:
        ended = replace(ended, beside=tuple(sandbox.touched(box, step.outs)))
        _set_aside(order)
        for out in step.outs:
            (box.tree / out).rename(root / out)
    return ended, outcome


def _set_aside(order: Order) -> None:
    own = persists(order.step)
    for out, was_there in order.marker.outs.items():
        if was_there:
            marker.set_aside(order.root, order.marker, out)
            if not order.boxed and out in own:
                marker.go_on(order.root, order.marker, out)


def _domain(
    order: Order, beside: Path, groups: Groups, clock: Callable[[], datetime]
) -> tuple[Ended, Outcome]:
    """Run a domain step: it writes scratch, which takes the place of the outputs at the end."""
    step = order.step
    scratch = {out: beside / "new" / str(n) / Path(out).name for n, out in enumerate(step.outs)}
    for path in scratch.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    params = merged(order.params, step.params)
    seed = params.get("seed", 0)
    request, answer = beside / "request.json", beside / "answer.json"
    worker.write_request(
        request,
        step,
        root=order.root,
        outs=scratch,
        params=params,
        seed=seed if isinstance(seed, int) else 0,
        parts=order.parts,
    )
    python = order.room.python if order.room else order.python
    words = [python, "-m", "mlops_cli.pipeline.attempts.worker", str(request), str(answer)]
    ended = _run(order, groups, clock, words, order.root, worker.STEADY, words[3:])
    said = worker.read_answer(answer)
    try:
        if isinstance(said, MlopsError):
            raise verdict.of_step(step, order.log_name, said, ended)
        verdict.judge(step, order.log_name, ended, scratch)
    except MlopsError as error:
        raise _Failed(ended, error) from error
    _set_aside(order)
    for out, path in scratch.items():
        path.rename(order.root / out)
    return ended, said or Outcome()


def _run(
    order: Order,
    groups: Groups,
    clock: Callable[[], datetime],
    words: list[str],
    cwd: Path,
    env: Mapping[str, str],
    worker_words: Sequence[str] = (),
) -> Ended:
    step = order.step
    environ = {**order.environ, **env, marker.VARIABLE: order.marker.attempt}
    environ[live.VARIABLE] = str(order.live)
    if step.until:
        environ[reached.VARIABLE] = str(order.tried + 1)
    if step.checkpoint:
        environ[checkpoint.VARIABLE] = str(order.root / step.checkpoint)
    if order.room:
        shown = (*env, *step.env, *step.variables)
        words, environ = enter(
            order.room, words, root=order.root, cwd=cwd, environ=environ, names=shown
        )
    ended = groups.run(
        words,
        cwd=cwd,
        environ=environ,
        log=order.log,
        tail=order.tail,
        clock=clock,
        timeout=duration(step.timeout).total_seconds() if step.timeout else None,
        worker=() if order.room else worker_words,  # forked from an environment of another
    )
    if ended.seconds >= LONG:
        left = leftover.end(lambda attempt: attempt == order.marker.attempt)
        names = (f"{one.words} (pid {one.pid})" for one in left)
        ended = replace(ended, left=(*ended.left, *names))
    return ended
