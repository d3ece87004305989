"""What a step says about how it is run: retries, resources, checkpoint, determinism."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.pipeline.checks.inside import project_path
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.steps import StepDef, Until
from mlops_cli.pipeline.model.training import Train
from mlops_cli.pipeline.paths import clean, under
from mlops_cli.pipeline.words import goal
from mlops_cli.pipeline.words.document import refuse
from mlops_cli.pipeline.words.failure import known_failure
from mlops_cli.pipeline.words.names import Where
from mlops_cli.pipeline.words.outs import paths


def check(pipeline: Pipeline, at: Where, root: Path) -> None:
    """Raise ConfigError for the first of these words that means nothing."""
    outs = [path for step in pipeline.steps.values() for path in paths(step.outs)]
    for name, step in pipeline.steps.items():
        _one(step, ("steps", name), at, root, outs)
        if step.until:
            _goal(step.until, ("steps", name, "until"), at)
    for name, train in pipeline.train.items():
        _one(train, ("train", name), at, root, outs)


def _goal(until: Until, here: tuple[str, ...], at: Where) -> None:
    try:
        goal.read(until.metric)
    except ValueError as exc:
        raise refuse(at(*here, "metric"), str(exc), code="wrong-value") from exc
    if until.tries < 1:
        raise refuse(
            at(*here, "tries"), "a step cannot be tried less than once", code="wrong-value"
        )


def _one(
    step: StepDef | Train, here: tuple[str, str], at: Where, root: Path, outs: list[str]
) -> None:
    if step.retries:
        if step.retries.times < 0:
            raise refuse(
                at(*here, "retries", "times"),
                "a step cannot be tried less than once",
                code="wrong-value",
                hint="times: 2 tries it up to three times",
            )
        for n, word in enumerate(step.retries.on):
            if not known_failure(word):
                raise refuse(
                    at(*here, "retries", "on", n),
                    f"{word!r} is no class of failures",
                    code="wrong-value",
                    hint="known: exit, exit 75 (or another status), signal, memory, timeout",
                )
    if step.resources:
        for word in ("cpus", "gpus"):
            amount = getattr(step.resources, word)
            if amount is not None and amount < 0:
                raise refuse(
                    at(*here, "resources", word), f"{word} cannot be {amount}", code="wrong-value"
                )
        for n, mutex in enumerate(step.resources.mutex):
            if not mutex or not mutex.replace("-", "").replace("_", "").isalnum():
                raise refuse(
                    at(*here, "resources", "mutex", n),
                    f"{mutex!r} cannot be the name of a mutex",
                    code="wrong-value",
                    hint="use letters, digits, - and _",
                )
    if bool(step.tolerance) != (step.determinism == "tolerant"):
        raise refuse(
            at(*here, "determinism" if step.determinism == "tolerant" else "tolerance"),
            "determinism: tolerant and tolerance: belong together",
            code="wrong-value",
            hint="determinism: tolerant, tolerance: {roc_auc: 0.001}",
        )
    for metric, amount in step.tolerance.items():
        if amount < 0:
            raise refuse(
                at(*here, "tolerance", metric),
                f"{metric} cannot be off by {amount}",
                code="wrong-value",
            )
    if step.checkpoint:
        place = at(*here, "checkpoint")
        project_path(step.checkpoint, place, root, written=True)
        path = clean(step.checkpoint)
        for out in outs:
            if under(path, out) or under(out, path):
                raise refuse(
                    place,
                    f"the checkpoint {path} and the output {out} share a place",
                    code="wrong-value",
                    hint="keep the checkpoint elsewhere: it goes when the step is done",
                    path=path,
                )
