"""The tracking store of MLflow on our ledger: only MLFLOW_TRACKING_URI=mlops: is changed.

Loaded by MLflow alone, by its entry point `mlflow.tracking_store`. Validation and searching are
MLflow's own functions, so that scripts see its errors and its results. What is not here (traces,
scorers, evaluation datasets) raises MLflow's own NotImplementedError, or the error below.
"""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, NOT_IMPLEMENTED
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils import validation
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.search_utils import SearchLoggedModelsUtils

from mlops_cli.integrations.mlflow.book import now
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.plugin import shown
from mlops_cli.integrations.mlflow.plugin.experiments import missing
from mlops_cli.integrations.mlflow.plugin.locked import locked
from mlops_cli.integrations.mlflow.plugin.opened import opened
from mlops_cli.integrations.mlflow.plugin.runs import Runs


class MlopsStore(Runs, AbstractStore):
    """Experiments, runs and logged models of one project."""

    def __init__(self, store_uri: str, artifact_uri: str | None = None) -> None:
        self.opened = opened(store_uri)
        super().__init__()

    @locked
    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: list[Any] | None = None,
        params: list[Any] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Begin a logged model of MLflow 3; its files follow, then `finalize_logged_model`."""
        validation._validate_logged_model_name(name)
        experiment = self._living(experiment_id)
        at = now()
        facts = {
            "name": name or _generate_random_name(),
            "experiment": experiment.id,
            "run": source_run_id,
            "type": model_type,
            "status": "PENDING",
            "created": at,
            "updated": at,
            "lifecycle": "active",
        }
        made = self.opened.book.create(
            "logged-model",
            f"m-{uuid.uuid4().hex}",
            set=facts,
            tags={one.key: str(one.value) for one in tags or []},
            params={one.key: str(one.value) for one in params or []},
        )
        return shown.logged_model(made, self.opened.root)

    @locked
    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """Return a logged model with its metrics."""
        found = self._model(model_id, whole=True)
        if found.deleted and not allow_deleted:
            raise missing(f"Logged model with ID '{model_id}' not found.")
        return shown.logged_model(found, self.opened.root)

    @locked
    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """Say how the making of a logged model went."""
        self._change(model_id, set={"status": LoggedModelStatus(status).value})
        return self.get_logged_model(model_id)

    @locked
    def log_logged_model_params(self, model_id: str, params: list[Any]) -> None:
        """Log params of a model."""
        self._change(model_id, params={one.key: str(one.value) for one in params})

    @locked
    def set_logged_model_tags(self, model_id: str, tags: list[Any]) -> None:
        """Set tags of a model."""
        self._change(model_id, tags={one.key: str(one.value) for one in tags})

    @locked
    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Take a tag of a model away."""
        if key not in self._model(model_id).tags:
            raise missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")
        self._change(model_id, untag=[key])

    @locked
    def delete_logged_model(self, model_id: str) -> None:
        """Mark a model as deleted; its record stays, and says so."""
        self._change(model_id, set={"lifecycle": "deleted"})

    @locked
    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> PagedList[LoggedModel]:
        """Return the logged models that fit, by MLflow's own grammar."""
        if datasets and not all(one.get("dataset_name") for one in datasets):
            raise MlflowException(
                "`dataset_name` in the `datasets` clause must be specified.",
                error_code=INVALID_PARAMETER_VALUE,
            )
        wanted = {str(id_) for id_ in experiment_ids}
        found = [
            shown.logged_model(self._model(one.id, whole=True), self.opened.root)
            for one in list(self.opened.book.all("logged-model"))
            if str(one.facts.get("experiment")) in wanted and not one.deleted
        ]
        fitting = SearchLoggedModelsUtils.filter_logged_models(found, filter_string, datasets)
        page, token = SearchLoggedModelsUtils.paginate(
            SearchLoggedModelsUtils.sort(fitting, order_by), page_token, max_results or 100
        )
        return PagedList(page, token)

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> NoReturn:
        """Refuse: traces are not kept."""
        raise MlflowException("mlops keeps no traces", error_code=NOT_IMPLEMENTED)

    def _change(self, model_id: str, **parts: Any) -> None:
        self._model(model_id)
        parts["set"] = {**parts.get("set", {}), "updated": now()}
        self.opened.book.change("logged-model", model_id, **parts)

    def _model(self, model_id: str, *, whole: bool = False) -> Entity:
        found = self.opened.book.get("logged-model", str(model_id), whole=whole)
        if found is None:
            raise missing(f"Logged model with ID '{model_id}' not found.")
        return found
