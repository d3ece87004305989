"""What the trainings of pipeline.yaml must say, and what their words exclude."""

from __future__ import annotations

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.training import Train
from mlops_cli.pipeline.words.document import Place, meant, refuse
from mlops_cli.pipeline.words.names import Where, fitting_metric, known

# the checks of features/leak.py and features/split.py that a person may waive
LEAKS = ("shared-group", "late-label", "future-feature", "target-in-features")


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for the first training that cannot be meant."""
    if pipeline.project.kpi:
        fitting_metric(pipeline, pipeline.project.kpi.metric, at("project", "kpi", "metric"))
    for name, train in pipeline.train.items():
        _dataset(pipeline, train, at, name)
        _split(train, at, name)
        _code(train, at, name)
        _compression(train, at, name)
        for n, metric in enumerate(train.metrics):
            fitting_metric(pipeline, metric, at("train", name, "metrics", n))


def no_function(code: str, place: Place) -> ConfigError:
    """Return the error for a reference to a file without a function in it."""
    return refuse(
        place,
        f"{code!r} does not say which function to call",
        code="wrong-value",
        hint=f"write {code}:name_of_the_function",
    )


def _dataset(pipeline: Pipeline, train: Train, at: Where, name: str) -> None:
    here = ("train", name, "dataset")
    spine = at(*here, "spine")
    source = known(train.dataset.spine, "data.", pipeline.data, spine, "the source")
    for n, view in enumerate(train.dataset.features):
        known(view, "", pipeline.features, at(*here, "features", n), "the feature")
    if pipeline.project.task != "other" and pipeline.data[source].label is None:
        raise refuse(
            spine,
            f"data.{source} has no label, and the task {pipeline.project.task!r} needs one",
            code="label-missing",
            hint=f"add label: {{column: …, known_at: …}} to data.{source}",
        )
    for leak, reason in train.dataset.waive.items():
        place = at(*here, "waive", leak)
        if leak not in LEAKS:
            message = f"there is no leakage check {leak!r}"
            raise refuse(place, message, code="unknown-reference", hint=meant(leak, LEAKS))
        if not reason.strip():
            raise refuse(place, f"{leak} is waived without a reason", code="wrong-value")
    if train.incremental and not train.warm_start:
        raise refuse(
            at("train", name, "incremental"),
            "incremental goes on from another model, and warm_start does not say which",
            code="missing-key",
            hint="add warm_start: previous, or production",
        )
    if train.incremental and not pipeline.data[source].time:
        raise refuse(
            at("train", name, "incremental"),
            f"data.{source} has no time column, which tells the newer rows",
            code="missing-key",
            hint=f"add time: to data.{source}",
        )


def _split(train: Train, at: Where, name: str) -> None:
    split, place = train.dataset.split, at("train", name, "dataset", "split")
    if not (0 <= split.validate < 1 and 0 < split.test < 1 and split.validate + split.test < 1):
        raise refuse(
            place,
            "validate and test must be shares that leave rows to train on",
            code="wrong-value",
            hint="for example validate: 15%, test: 15%",
        )
    for by in ("group", "strata"):
        if split.by == by and not getattr(split, by):
            raise refuse(place, f"a split by {by} needs {by}:", code="missing-key")


def _code(train: Train, at: Where, name: str) -> None:
    here = ("train", name)
    if bool(train.code) == bool(train.cmd):
        raise refuse(
            at(*here, "cmd") if train.cmd else at(*here),
            f"train.{name} needs exactly one of code, cmd",
            code="wrong-value",
            hint="code: src/train.py:train, or cmd: python src/train.py",
        )
    for key in ("code", "network"):
        value = getattr(train, key)
        if value and ":" not in value:
            raise no_function(value, at(*here, key))
    if train.network and train.code:
        raise refuse(
            at(*here, "network"),
            "network goes with cmd: a function returns its network itself",
            code="wrong-value",
            hint="take network out",
        )
    backend = train.backend
    if backend.workers < 1 or backend.restarts < 0:
        raise refuse(
            at(*here, "backend"), "one worker at least, restarts from 0", code="wrong-value"
        )
    if backend.kind == "local" and backend.workers > 1:
        raise refuse(
            at(*here, "backend"),
            "the local backend has one worker",
            code="wrong-value",
            hint="kind: torchrun starts several",
        )
    if backend.kind == "torchrun" and isinstance(train.cmd, tuple) and len(train.cmd) > 1:
        raise refuse(
            at(*here, "cmd"), "torchrun starts one command, not several", code="wrong-value"
        )


def _compression(train: Train, at: Where, name: str) -> None:
    if not 0 <= train.export.prune < 1:
        raise refuse(
            at("train", name, "export", "prune"),
            "prune is the share of weights to set to zero, from 0 to below 1",
            code="wrong-value",
            hint="for example prune: 30%",
        )
