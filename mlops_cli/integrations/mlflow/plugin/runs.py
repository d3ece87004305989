"""Runs of MLflow: journals while they go on, records of kind `run` once they ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

from mlflow.entities import Metric, Param, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, INVALID_STATE
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils import validation
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.search_utils import SearchUtils

from mlops_cli.integrations.mlflow.entity import ENDED, Entity, Point
from mlops_cli.integrations.mlflow.plugin import shown
from mlops_cli.integrations.mlflow.plugin.experiments import VIEWS, Experiments, missing
from mlops_cli.integrations.mlflow.plugin.locked import locked

NAME = "mlflow.runName"
_HISTORY = "mlflow.log-model.history"


class Runs(Experiments):
    """The calls of MLflow's tracking store that are about runs."""

    @locked
    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int,
        tags: list[RunTag] | None,
        run_name: str | None,
    ) -> Run:
        """Begin a run."""
        experiment = self._living(experiment_id)
        held = {tag.key: str(tag.value) for tag in tags or []}
        if run_name and held.get(NAME, run_name) != run_name:
            raise MlflowException(
                f"Both 'run_name' ({run_name}) and the tag {NAME} ({held[NAME]}) are given",
                error_code=INVALID_PARAMETER_VALUE,
            )
        name = run_name or held.get(NAME) or _generate_random_name()
        facts = {
            "name": name,
            "experiment": experiment.id,
            "user": user_id,
            "status": "RUNNING",
            "start": start_time,
            "end": None,
            "lifecycle": "active",
        }
        made = self.opened.book.create(
            "run", uuid.uuid4().hex, set=facts, tags={**held, NAME: name}
        )
        return shown.run(made, self.opened.root)

    @locked
    def get_run(self, run_id: str) -> Run:
        """Return a run, also a deleted one."""
        return shown.run(self._run(run_id), self.opened.root)

    @locked
    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> Any:
        """Set status, end and name; a run that ends becomes a record."""
        self._active(run_id)
        facts: dict[str, Any] = {}
        if run_status is not None:
            facts["status"] = RunStatus.to_string(run_status)
        if end_time is not None or facts.get("status") == "RUNNING":
            facts["end"] = end_time
        if run_name:
            facts["name"] = run_name
        tags = {NAME: run_name} if run_name else {}
        self.opened.book.change("run", run_id, set=facts, tags=tags)
        if facts.get("status") in ENDED:
            self.opened.rest()
        return self.get_run(run_id).info

    @locked
    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted; its record stays, and says so."""
        self._run(run_id)
        self.opened.book.change("run", run_id, set={"lifecycle": "deleted"})

    @locked
    def restore_run(self, run_id: str) -> None:
        """Take the mark away again."""
        self._run(run_id)
        self.opened.book.change("run", run_id, set={"lifecycle": "active"})

    @locked
    def log_batch(
        self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]
    ) -> None:
        """Log metrics, params and tags with one write."""
        metrics, params, tags = validation._validate_batch_log_data(metrics, params, tags)
        validation._validate_batch_log_limits(metrics, params, tags)
        validation._validate_param_keys_unique(params)
        run = self._active(run_id)
        given = {param.key: str(param.value) for param in params}
        for key, value in given.items():
            if run.params.get(key, value) != value:
                raise MlflowException(
                    f"Changing param values is not allowed. Param with key='{key}' was already"
                    f" logged with value='{run.params[key]}' for run ID='{run_id}'."
                    f" Attempted logging new value '{value}'.",
                    error_code=INVALID_PARAMETER_VALUE,
                )
        held = {tag.key: str(tag.value) for tag in tags}
        self.opened.book.change(
            "run",
            run_id,
            set={"name": held[NAME]} if NAME in held else {},
            params=given,
            tags=held,
            points=[_point(one) for one in metrics],
        )
        self._log_model_metrics(run_id, metrics)

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one value of a metric."""
        validation._validate_metric(metric.key, metric.value, metric.timestamp, metric.step)
        self.log_batch(run_id, [metric], [], [])

    def log_param(self, run_id: str, param: Param) -> None:
        """Log one param."""
        self.log_batch(run_id, [], [param], [])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set one tag."""
        self.log_batch(run_id, [], [], [tag])

    @locked
    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag away."""
        if key not in self._active(run_id).tags:
            raise missing(f"No tag with name: {key} in run with id {run_id}")
        self.opened.book.change("run", run_id, untag=[key])

    @locked
    def log_inputs(
        self, run_id: str, datasets: list[Any] | None = None, models: list[Any] | None = None
    ) -> None:
        """Log the datasets and models that a run reads."""
        self._active(run_id)
        found: list[dict[str, Any]] = []
        for one in datasets or []:
            tags = {tag.key: tag.value for tag in one.tags or []}
            found.append({"type": "dataset", **dict(one.dataset), "tags": tags})
        found += [{"type": "model", "id": one.model_id} for one in models or []]
        if found:
            self.opened.book.change("run", run_id, inputs=found)

    @locked
    def log_outputs(self, run_id: str, models: list[Any]) -> None:
        """Log the models that a run makes."""
        self._active(run_id)
        found = [{"type": "model", "id": one.model_id, "step": one.step} for one in models or []]
        if found:
            self.opened.book.change("run", run_id, outputs=found)

    @locked
    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Log a model in the way of MLflow 2: a tag."""
        known = json.loads(self._active(run_id).tags.get(_HISTORY, "[]"))
        text = json.dumps([*known, mlflow_model.get_tags_dict()])
        self.opened.book.change("run", run_id, tags={_HISTORY: text})

    @locked
    def get_metric_history(
        self,
        run_id: str,
        metric_key: str,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> PagedList[Metric]:
        """Return all values of a metric in the order they were logged."""
        validation._validate_run_id(run_id)
        run = self.opened.book.get("run", run_id, whole=True)
        if run is None:
            raise missing(f"Run with id={run_id} not found")
        found = [shown.metric(point) for point in run.points if point.key == metric_key]
        if max_results is None:
            return PagedList(
                found[SearchUtils.parse_start_offset_from_page_token(page_token) :], None
            )
        page, token = SearchUtils.paginate(found, page_token, max_results)
        return PagedList(page, token)

    @locked
    def _search_runs(
        self,
        experiment_ids: Iterable[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int,
        order_by: list[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        wanted = {str(id_) for id_ in experiment_ids}
        found = [
            shown.run(one, self.opened.root)
            for one in self.opened.book.all("run")
            if str(one.facts.get("experiment")) in wanted and one.deleted in VIEWS[run_view_type]
        ]
        fitting = SearchUtils.filter(found, filter_string)
        page, token = SearchUtils.paginate(
            SearchUtils.sort(fitting, order_by), page_token, max_results
        )
        return page, token

    def _log_model_metrics(self, run_id: str, metrics: list[Metric]) -> None:
        for one in metrics:
            if one.model_id is not None:
                told = (run_id, one.dataset_name, one.dataset_digest)
                point = Point(one.key, float(one.value), one.timestamp, one.step or 0, told)
                self.opened.book.change("logged-model", one.model_id, points=[point])

    def _run(self, run_id: str) -> Entity:
        validation._validate_run_id(run_id)
        found = self.opened.book.get("run", run_id)
        if found is None:
            raise missing(f"Run with id={run_id} not found")
        return found

    def _active(self, run_id: str) -> Entity:
        found = self._run(run_id)
        if found.deleted:
            raise MlflowException(
                f"The run {run_id} must be in the 'active' state. Current state is deleted.",
                error_code=INVALID_STATE,
            )
        return found


def _point(metric: Metric) -> Point:
    return Point(metric.key, float(metric.value), int(metric.timestamp), int(metric.step or 0))
