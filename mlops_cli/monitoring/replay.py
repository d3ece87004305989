"""A stretch of the past played through the real server, in the order in which it happened.

For each arrival: its rows become requests with the features that were known at their time, the
server answers, the labels come in, the window is checked, and where the policy says so a
challenger is trained on what is known by then. Time is the data's own: a check at the end of
February sees nothing of March.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, StateRefused
from mlops_cli.features import dataset, read
from mlops_cli.monitoring import monitor as monitors
from mlops_cli.monitoring import window
from mlops_cli.monitoring.arrival import Arrival, arrive
from mlops_cli.monitoring.check import Check
from mlops_cli.monitoring.clock import ReplayClock
from mlops_cli.monitoring.retrain import Retrained, retrain
from mlops_cli.monitoring.traffic import send
from mlops_cli.pipeline.model.data import Source
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.serving import deploy
from mlops_cli.serving.parts import Parts
from mlops_cli.training import metrics, score

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Period:
    """What came of one arrival; `frozen` is the metric of the first champion, never retrained."""

    name: str
    rows: int
    label_mean: float | None
    frozen: float | None
    served: float | None
    version: int
    check: Check
    retrained: Retrained | None

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "period": self.name,
            "rows": self.rows,
            "label_mean": self.label_mean,
            "frozen": self.frozen,
            "served": self.served,
            "version": self.version,
            "verdict": self.check.verdict,
            "severity": {name: part["severity"] for name, part in self.check.families().items()},
            "action": self.check.decision.action,
            "because": list(self.check.decision.because),
            "check": self.check.record,
            "retrained": self.retrained.to_plain() if self.retrained else None,
        }


def replay(
    parts: Parts,
    run: RunParts,
    pipeline: Pipeline,
    name: str,
    arrivals: Sequence[Arrival],
    *,
    clock: ReplayClock,
    told: Callable[[Period], None],
) -> list[Period]:
    """Play `arrivals` through the deployment that monitor `name` watches; `told` hears of each.

    Raises StateRefused ("not-running") when the server is not there.
    """
    monitor = monitors.find(pipeline, name)
    model = monitors.model_of(pipeline, monitor)
    train = pipeline.models[model].source.removeprefix("train.")
    spine = pipeline.data[pipeline.train[train].dataset.spine.removeprefix("data.")]
    first = Registry(parts.git).resolve(pipeline.deployments[monitor.deployment].model)
    frozen = score.open_model(parts.cache.read(first.digest))
    periods = []
    for arrival in arrivals:
        rows = _rows(parts, run, pipeline, train, spine, arrival)
        times = rows[str(spine.time)].to_pylist()
        start, end = _month(times)
        clock.set(start)
        url = _url(parts, monitor.deployment)
        version = Registry(parts.git).resolve(pipeline.deployments[monitor.deployment].model)
        send(
            url,
            rows,
            inputs=_inputs(version),
            request_ids=window.request_ids(spine, rows),
            times=[moment.isoformat() for moment in times],
            progress=parts.progress,
        )
        at = _known(rows, spine, end)
        clock.set(at)
        check = monitors.check(parts, pipeline, name, start=start, end=end, at=at)
        done = None
        if check.decision.action == "retrain":
            done = retrain(
                parts,
                run,
                pipeline,
                model,
                parents=[str(check.decided)],
                reason="; ".join(check.decision.because),
            )
        period = Period(
            arrival.name,
            rows.num_rows,
            check.metrics.get("label_mean"),
            _frozen(frozen, rows, spine, monitor.performance),
            check.metrics.get(monitor.performance.metric) if monitor.performance else None,
            version.number,
            check,
            done,
        )
        told(period)
        periods.append(period)
    return periods


def _rows(
    parts: Parts,
    run: RunParts,
    pipeline: Pipeline,
    train: str,
    spine: Source,
    arrival: Arrival,
) -> pa.Table:
    """Bring the files in and return the rows to predict, with features as known, by time."""
    import pyarrow as pa

    if run.stats is None:
        raise ConfigError("a replay tracks data and needs the stat cache", code="no-stat-cache")
    arrive(parts.root, parts.git, parts.cache, run.stats, arrival)
    prefix = spine.path.rstrip("/")
    found = [p for p in arrival.files if p == prefix or p.startswith(prefix + "/")]
    if not found:
        raise ConfigError(
            f"{arrival.name} brings no rows for {spine.path}",
            code="nothing-to-predict",
            hint=f"put a file below {spine.path}/ into the arrival",
        )
    new = pa.concat_tables([read.table(parts.root, path) for path in found])
    rows = dataset.rows(parts.root, pipeline, train, new)
    return rows.sort_by([(str(spine.time), "ascending"), (spine.key[0], "ascending")])


def _inputs(version: Version) -> list[str]:
    return [str(column["name"]) for column in version.payload["inputs"]]


def _url(parts: Parts, environment: str) -> str:
    running = deploy.look(parts, environment)
    if running.state != "running" or running.url is None:
        raise StateRefused(
            f"nothing serves {environment}: its server is {running.state}",
            code="not-running",
            hint=f"mlops deploy apply {environment}",
        )
    return running.url


def _month(times: Sequence[datetime]) -> tuple[datetime, datetime]:
    """Return the stretch of time of the rows: from the first to just after the last."""
    known = [moment.astimezone(UTC) for moment in times if moment is not None]
    # records keep milliseconds: with less, the window that is recorded would end at the last row
    return min(known), max(known) + timedelta(milliseconds=1)


def _known(rows: pa.Table, spine: Source, end: datetime) -> datetime:
    """Return when the last label of `rows` became known, not before `end`."""
    import pyarrow.compute as pc

    if spine.label is None or spine.label.known_at not in rows.column_names:
        return end
    last: datetime | None = pc.max(rows[spine.label.known_at]).as_py()
    return max(end, last.astimezone(UTC)) if last else end


def _frozen(model: Any, rows: pa.Table, spine: Source, wanted: Any) -> float | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted is None or spine.label is None:
        return None
    known = rows.filter(pc.is_valid(rows[spine.label.column]))
    label = known[spine.label.column].cast(pa.float64()).to_numpy()
    return float(metrics.find(wanted.metric).measure(label, score.score(model, known)))
