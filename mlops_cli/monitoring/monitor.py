"""One check: what was served in a window against what the model was trained on; then a decision."""

from __future__ import annotations

from datetime import datetime

from mlops_cli.encode import parse_json
from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.ledger.index import open_index
from mlops_cli.monitoring import check as checks
from mlops_cli.monitoring import drift, history, performance, quality, window
from mlops_cli.monitoring.check import Check
from mlops_cli.monitoring.decide import decide
from mlops_cli.monitoring.finding import Finding
from mlops_cli.pipeline.model.data import Source
from mlops_cli.pipeline.model.monitoring import Monitor
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.serving import bundle, environment, predlog
from mlops_cli.serving.parts import Parts
from mlops_cli.training import metrics


def check(
    parts: Parts,
    pipeline: Pipeline,
    name: str,
    *,
    start: datetime,
    end: datetime,
    at: datetime,
    dry_run: bool = False,
) -> Check:
    """Hold what environment served in [start, end) against its training, as known at `at`.

    Seals the prediction log first, so that all that was answered counts. Writes a check and a
    decision record, unless `dry_run`. Raises NotFound ("unknown-monitor").
    """
    monitor = find(pipeline, name)
    if environment.read(parts.root, monitor.deployment) is None:
        raise NotFound(
            f"nothing was ever deployed to {monitor.deployment!r}",
            code="unknown-environment",
            hint=f"mlops deploy apply {monitor.deployment}",
        )
    predlog.seal(parts, monitor.deployment)
    with open_index(parts.git) as index:
        served = window.served(index, parts.cache, monitor.deployment, start, end)
        version = _version(parts, pipeline, monitor, served.model)
        source = label_source(pipeline, monitor)
        if version is None or served.rows.num_rows < monitor.window.min_rows:
            found, counted, figures = list[Finding](), 0, dict[str, float]()
            enough = False
        else:
            found, counted, figures = _look(parts, monitor, version, served, source, at)
            enough = True
        decision = decide(
            monitor.retrain,
            [checks.severities(found), *history.checked(index, name)],
            at=at,
            retrained=history.retrained(index, name),
        )
    result = Check(
        name,
        start,
        end,
        served.rows.num_rows,
        counted,
        served.model,
        version.number if version else None,
        tuple(found),
        figures,
        checks.verdict(found, decision) if enough else "not-enough-data",
        decision,
    )
    return result if dry_run else history.write(parts, monitor, source, served, version, result, at)


def find(pipeline: Pipeline, name: str) -> Monitor:
    """Return the monitor `name` of pipeline.yaml."""
    if name not in pipeline.monitors:
        known = ", ".join(pipeline.monitors) or "none"
        raise NotFound(
            f"pipeline.yaml has no monitor {name!r}",
            code="unknown-monitor",
            hint=f"monitors: {known}",
        )
    return pipeline.monitors[name]


def model_of(pipeline: Pipeline, monitor: Monitor) -> str:
    """Return the name of the model that the monitored deployment serves."""
    return pipeline.deployments[monitor.deployment].model.partition("@")[0]


def label_source(pipeline: Pipeline, monitor: Monitor) -> Source:
    """Return where labels come from: `labels.from`, or the spine that the model learnt from."""
    if monitor.labels.source:
        return pipeline.data[monitor.labels.source.removeprefix("data.")]
    model = pipeline.models[model_of(pipeline, monitor)]
    spine = pipeline.train[model.source.removeprefix("train.")].dataset.spine
    return pipeline.data[spine.removeprefix("data.")]


def _version(
    parts: Parts, pipeline: Pipeline, monitor: Monitor, digest: str | None
) -> Version | None:
    if digest is None:
        return None
    return Registry(parts.git).find(model_of(pipeline, monitor), digest)


def _look(
    parts: Parts,
    monitor: Monitor,
    version: Version,
    served: window.Served,
    source: Source,
    at: datetime,
) -> tuple[list[Finding], int, dict[str, float]]:
    folder = parts.root / bundle.open_bundle(parts.cache, version.bundle, root=parts.root)
    reference, learnt = (
        parse_json((folder / name).read_bytes(), source=str(folder / name))
        for name in ("profile.json", "schema.json")
    )
    # not the payload's inputs: only the schema tells a flag from the 0 and 1 that a model takes
    rows = window.as_learnt(predlog.inputs(served.rows), learnt["inputs"])
    found = quality.quality(reference, rows) + drift.drift(reference, rows, monitor.drift)
    classes = learnt["outputs"][0].get("classes", ())
    label, score = window.labelled(parts.root, source, served.rows, at=at, classes=classes)
    wanted = monitor.performance
    if wanted is None or len(label) < monitor.window.min_rows:
        return found, len(label), {}
    metric = metrics.find(wanted.metric)
    known = version.payload["metrics"].get(wanted.metric)
    if known is None:
        raise ConfigError(
            f"{version.name} was not evaluated by {wanted.metric}",
            code="metric-missing",
            hint=f"add {wanted.metric} to train.metrics, then mlops run and mlops register",
        )
    finding = performance.performance(
        label,
        score,
        metric=wanted.metric,
        reference=float(known),
        min_drop=wanted.min_drop,
        measure=metric.measure,
        greater_is_better=metric.greater_is_better,
    )
    figures = {
        wanted.metric: float(metric.measure(label, score)),
        "label_mean": float(label.mean()),
    }
    return [*found, finding], len(label), figures
