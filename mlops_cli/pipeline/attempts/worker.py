"""The child process in which one domain step runs: a request in a file, an answer in a file."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli import errors, fsio, live, plugins
from mlops_cli.pipeline.keys.machine import loaded
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step, from_json

# An order of hashes that changes from run to run would change outputs, and so would the work space
# of cuBLAS, without which torch refuses to be deterministic on a GPU.
STEADY = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def write_request(
    path: Path,
    step: Step,
    *,
    root: Path,
    outs: dict[str, Path],
    params: dict[str, Any],
    seed: int,
    parts: Mapping[str, Any] | None = None,
) -> None:
    """Write what a child needs to run `step`."""
    request = {
        "step": to_plain(step),
        "root": str(root),
        "outs": {out: str(scratch) for out, scratch in outs.items()},
        "params": params,
        "seed": seed,
        "parts": parts or {},
    }
    fsio.write_atomic(path, json.dumps(request), durable=False)


def read_answer(path: Path) -> Outcome | errors.MlopsError | None:
    """Return what a child answered: an outcome, its error, None when it died without a word."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if error := value.get("error"):
        kind = getattr(errors, error["kind"], errors.StepFailed)
        failure: errors.MlopsError = kind(
            error["message"], code=error["code"], hint=error["hint"], details=error["details"]
        )
        return failure
    # a metric that is no number (NaN) is none
    metrics = {name: number for name, number in value["metrics"].items() if number is not None}
    return Outcome(metrics, value["facts"], value.get("found", {}))


def main(arguments: list[str]) -> int:
    """Run the step of the request `arguments[0]`; the answer goes to `arguments[1]`."""
    request_path, answer_path = map(Path, arguments)
    request = json.loads(request_path.read_bytes())
    root = Path(request["root"])
    step = from_json(request["step"])
    # user code imports from the project's root and from src/, as pipeline.code resolves it
    sys.path[:0] = [path for path in (str(root), str(root / "src")) if path not in sys.path]
    context = RunContext(
        root,
        {out: Path(scratch) for out, scratch in request["outs"].items()},
        request["params"],
        request["seed"],
        request["parts"],
        live=live.Live(os.environ.get(live.VARIABLE)),
    )
    try:
        outcome = plugins.load("mlops.steps", step.kind)().run(step, context)
        spent = round(sum(os.times()[:4]), 3)  # its own and of processes that it started
        found = {**loaded(), "seed": request["seed"], "cpu_seconds": spent}
        told = {"metrics": dict(outcome.metrics), "facts": dict(outcome.facts), "found": found}
        answer = _plain(told)
        code = 0
    except errors.MlopsError as error:
        answer, code = {"error": _error(error)}, 1
        sys.stderr.write(f"{error.message} [{error.code}]\n")
    except Exception as problem:
        traceback.print_exc()
        words = traceback.format_exception_only(problem)[-1].strip()
        failure = errors.StepFailed(words, code="step-raised")
        answer, code = {"error": _error(failure)}, 1
    fsio.write_atomic(answer_path, json.dumps(answer), durable=False)
    return code


def _error(error: errors.MlopsError) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "code": error.code,
        "hint": error.hint,
        "details": _plain(error.details),
    }


def _plain(value: Any) -> Any:
    """Return `value` with the numbers of numpy made plain, and null for what JSON lacks."""
    from mlops_cli.ledger.record import plain

    return plain(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
