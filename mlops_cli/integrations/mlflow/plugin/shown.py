"""Our things as MLflow's entities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    InputTag,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunTag,
)

from mlops_cli.integrations.mlflow.entity import Entity, Point
from mlops_cli.integrations.mlflow.plugin.opened import artifacts_uri


def experiment(thing: Entity, root: Path) -> Experiment:
    """Return the experiment; what it logs lies in our cache, wherever MLflow had put it."""
    facts = thing.facts
    return Experiment(
        thing.id,
        facts.get("name"),
        artifacts_uri(root, "experiment", thing.id),
        facts.get("lifecycle") or "active",
        tags=[ExperimentTag(key, value) for key, value in thing.tags.items()],
        creation_time=facts.get("created"),
        last_update_time=facts.get("updated"),
    )


def run(thing: Entity, root: Path) -> Run:
    """Return the run with the last point of each metric."""
    facts = thing.facts
    info = RunInfo(
        run_id=thing.id,
        experiment_id=str(facts.get("experiment")),
        user_id=facts.get("user") or "unknown",
        status=facts.get("status") or "RUNNING",
        start_time=facts.get("start"),
        end_time=facts.get("end"),
        lifecycle_stage=facts.get("lifecycle") or "active",
        artifact_uri=artifacts_uri(root, "run", thing.id),
        run_name=facts.get("name") or thing.tags.get("mlflow.runName"),
    )
    data = RunData(
        metrics=[metric(point) for point in thing.latest().values()],
        params=[Param(key, value) for key, value in thing.params.items()],
        tags=[RunTag(key, value) for key, value in thing.tags.items()],
    )
    models = [LoggedModelInput(one["id"]) for one in thing.inputs if one.get("type") == "model"]
    datasets = [_dataset(one) for one in thing.inputs if one.get("type") == "dataset"]
    outputs = [LoggedModelOutput(one["id"], one.get("step") or 0) for one in thing.outputs]
    return Run(info, data, RunInputs(datasets, models), RunOutputs(outputs))


def metric(point: Point) -> Metric:
    """Return the point as a metric of a run."""
    return Metric(point.key, point.value, point.time, point.step)


def logged_model(thing: Entity, root: Path) -> LoggedModel:
    """Return the logged model with its metrics."""
    facts = thing.facts
    return LoggedModel(
        experiment_id=str(facts.get("experiment")),
        model_id=thing.id,
        name=facts.get("name"),
        artifact_location=artifacts_uri(root, "logged-model", thing.id),
        creation_timestamp=facts.get("created"),
        last_updated_timestamp=facts.get("updated"),
        model_type=facts.get("type"),
        source_run_id=facts.get("run"),
        status=LoggedModelStatus(facts.get("status") or "READY"),
        status_message=facts.get("message"),
        tags=dict(thing.tags),
        params=dict(thing.params),
        metrics=[_model_metric(point, thing.id) for point in thing.points],
    )


def _model_metric(point: Point, model: str) -> Metric:
    run_id, name, digest = (*point.told, None, None, None)[:3]
    return Metric(
        point.key,
        point.value,
        point.time,
        point.step,
        model_id=model,
        dataset_name=name,
        dataset_digest=digest,
        run_id=run_id,
    )


def _dataset(one: dict[str, Any]) -> DatasetInput:
    words = {name: _text(one.get(name)) for name in ("schema", "profile")}
    dataset = Dataset(
        name=str(one.get("name")),
        digest=str(one.get("digest")),
        source_type=str(one.get("source_type")),
        source=_text(one.get("source")) or "{}",
        **words,
    )
    tags = [InputTag(key, value) for key, value in (one.get("tags") or {}).items()]
    return DatasetInput(dataset, tags)


def _text(value: Any) -> str | None:
    """Return a text that stands in the record; a long one is in the cache and not fetched."""
    return value if isinstance(value, str) else None
