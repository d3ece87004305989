"""One attempt at one step: a command, or a domain step in a child; what it left is its answer."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError, MlopsError, StepFailed
from mlops_cli.pipeline import interpolate, marker, worker
from mlops_cli.pipeline.marker import Marker
from mlops_cli.pipeline.model import duration
from mlops_cli.pipeline.params import merged
from mlops_cli.pipeline.process import Ended, Groups
from mlops_cli.pipeline.runner import Outcome
from mlops_cli.pipeline.step import Step

SHOWN = 8  # last lines of the log in the message of an error


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, and where; everything an attempt may look at."""

    step: Step
    marker: Marker
    root: Path
    log: Path
    params: Mapping[str, Any]
    environ: Mapping[str, str]
    python: str  # the interpreter


@dataclass(frozen=True, slots=True)
class Done:
    """How it went; with an `error` the former outputs are back in their places."""

    order: Order
    seconds: float
    outcome: Outcome = field(default_factory=Outcome)
    error: MlopsError | None = None
    killed: bool = False


def attempt(order: Order, groups: Groups, clock: Callable[[], datetime]) -> Done:
    """Run the step; its outputs then stand at their places, or the former ones do."""
    step, root = order.step, order.root
    beside = marker.begin(root, order.marker)
    ended = Ended(0, 0.0, False, ())
    outcome = Outcome()
    try:
        order.log.parent.mkdir(parents=True, exist_ok=True)
        for out in step.outs:
            (root / out).parent.mkdir(parents=True, exist_ok=True)
        if step.kind == "command":
            for out, was_there in order.marker.outs.items():
                if was_there:
                    marker.set_aside(root, order.marker, out)
            ended = _command(order, groups, clock)
            _judge(order, ended)
            outcome = Outcome(_metrics(step, root))
        else:
            ended, outcome = _domain(order, beside, groups, clock)
        return Done(order, ended.seconds, outcome)
    except MlopsError as error:
        marker.put_back(root, order.marker)
        killed = ended.code < 0 and groups.stopping
        return Done(order, ended.seconds, error=error, killed=killed)


def _command(order: Order, groups: Groups, clock: Callable[[], datetime]) -> Ended:
    step = order.step
    lines = [interpolate.interpolate(line, order.params) for line in step.cmd]
    script = lines[0] if len(lines) == 1 else "\n".join(["set -e", *lines])
    return groups.run(
        ["/bin/sh", "-c", script],
        cwd=order.root / step.wdir,
        environ={**order.environ, **step.env, marker.VARIABLE: order.marker.attempt},
        log=order.log,
        clock=clock,
        timeout=duration(step.timeout).total_seconds() if step.timeout else None,
    )


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
    )
    ended = groups.run(
        [order.python, "-m", "mlops_cli.pipeline.worker", str(request), str(answer)],
        cwd=order.root,
        # an order of hashes that changes from run to run would change outputs
        environ={
            **order.environ,
            "PYTHONHASHSEED": "0",
            marker.VARIABLE: order.marker.attempt,
        },
        log=order.log,
        clock=clock,
    )
    said = worker.read_answer(answer)
    if isinstance(said, MlopsError):
        raise _of_step(order, said, ended)
    _judge(order, ended, scratch)
    for out, path in scratch.items():
        if order.marker.outs[out]:
            marker.set_aside(order.root, order.marker, out)
        path.rename(order.root / out)
    return ended, said or Outcome()


def _of_step(order: Order, error: MlopsError, ended: Ended) -> MlopsError:
    """Return the error of a domain step with the name of the step and the place of its log."""
    log = order.log.relative_to(order.root)
    return type(error)(
        f"step {order.step.name}: {error.message}",
        code=error.code,
        hint=error.hint or f"the log is {log}",
        details={
            **error.details,
            "step": order.step.name,
            "log": str(log),
            "tail": list(ended.tail[-SHOWN:]),
        },
    )


def _judge(order: Order, ended: Ended, scratch: Mapping[str, Path] | None = None) -> None:
    """Raise StepFailed unless the process ended well and every output is there."""
    step = order.step
    log = order.log.relative_to(order.root)
    details = {"step": step.name, "log": str(log), "tail": list(ended.tail[-SHOWN:])}
    if ended.timed_out:
        how, code = f"took longer than its timeout of {step.timeout}", "step-timed-out"
    elif ended.code < 0:
        how, code = f"was ended by {_signal_name(-ended.code)}", "step-killed"
    elif ended.code:
        how, code = f"failed with exit status {ended.code}", "step-failed"
    else:
        for out in step.outs:
            if not os.path.lexists((scratch or {}).get(out, order.root / out)):
                raise StepFailed(
                    f"step {step.name} ended well, and did not write its output {out}",
                    code="output-missing",
                    hint=f"correct outs: of {step.name}, or the command; the log is {log}",
                    details={**details, "path": out},
                )
        return
    said = "".join(f"\n  | {line}" for line in ended.tail[-SHOWN:])
    raise StepFailed(
        f"step {step.name} {how}{said}",
        code=code,
        hint=f"the log is {log}; mend the step and run the same command again",
        details={**details, "exit_status": ended.code},
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _metrics(step: Step, root: Path) -> dict[str, float]:
    """Return the numbers in the metrics files of a command by dotted name."""
    found: dict[str, float] = {}
    for path in step.metrics:
        try:
            value = json.loads((root / path).read_bytes())
        except (OSError, ValueError) as exc:
            raise StepFailed(
                f"step {step.name}: its metrics file {path} is not JSON",
                code="metrics-malformed",
                hint='write numbers by name: {"accuracy": 0.9}',
                details={"step": step.name, "path": path},
            ) from exc
        _numbers("", value, found)
    return found


def _numbers(prefix: str, value: Any, found: dict[str, float]) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _numbers(f"{prefix}.{name}" if prefix else str(name), item, found)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        found[prefix] = value


def inherited(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """Return what commands inherit; their `python` is the one whose version is in keys."""
    path = os.pathsep.join([str(Path(python).parent), environ.get("PATH", os.defpath)])
    return {"PYTHONUNBUFFERED": "1", **environ, "PATH": path}


def check_params(step: Step, params: Mapping[str, Any]) -> None:
    """Raise ConfigError when a command names a param that is no single value."""
    for line in step.cmd:
        try:
            interpolate.interpolate(line, params)
        except ConfigError as error:
            raise ConfigError(
                f"step {step.name}: {error.message}", code=error.code, hint=error.hint
            ) from error
