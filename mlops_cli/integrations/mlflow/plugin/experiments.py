"""Experiments of MLflow: each a record of the ledger, of which the last counts."""

from __future__ import annotations

from typing import Any

from mlflow.entities import Experiment, ExperimentTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils import validation
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from mlops_cli.integrations.mlflow import heads
from mlops_cli.integrations.mlflow.book import now
from mlops_cli.integrations.mlflow.entity import DEFAULT_EXPERIMENT, Entity
from mlops_cli.integrations.mlflow.plugin import shown
from mlops_cli.integrations.mlflow.plugin.locked import locked
from mlops_cli.integrations.mlflow.plugin.opened import Opened

VIEWS = {
    ViewType.ACTIVE_ONLY: (False,),
    ViewType.DELETED_ONLY: (True,),
    ViewType.ALL: (False, True),
}


class Experiments:
    """The calls of MLflow's tracking store that are about experiments."""

    opened: Opened

    @locked
    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return the experiments that fit, by MLflow's own grammar."""
        check_count(max_results)
        found = [
            shown.experiment(one, self.opened.root)
            for one in self.opened.book.all("experiment")
            if one.deleted in VIEWS[view_type]
        ]
        fitting = SearchExperimentsUtils.filter(found, filter_string)
        order = order_by or ["creation_time DESC", "experiment_id ASC"]
        page, token = SearchUtils.paginate(
            SearchExperimentsUtils.sort(fitting, order), page_token, max_results
        )
        return PagedList(page, token)

    @locked
    def create_experiment(
        self,
        name: str,
        artifact_location: str | None = None,
        tags: list[ExperimentTag] | None = None,
    ) -> str:
        """Create an experiment; its artifacts lie in the cache, wherever others would go."""
        validation._validate_experiment_name(name)
        # a server on our store names its own proxy; anything else would be a wish we do not fulfil
        if artifact_location and not artifact_location.startswith("mlflow-artifacts:"):
            raise MlflowException(
                "artifacts of mlops lie in its cache; leave artifact_location out",
                error_code=INVALID_PARAMETER_VALUE,
            )
        known = list(self.opened.book.all("experiment"))
        if same := next((one for one in known if one.facts.get("name") == name), None):
            state = " in the deleted state" if same.deleted else ""
            raise MlflowException(
                f"Experiment '{name}' already exists{state}.", error_code=RESOURCE_ALREADY_EXISTS
            )
        id_ = heads.experiment_id(name, {one.id for one in known})
        at = now()
        facts = {"name": name, "lifecycle": "active", "created": at, "updated": at}
        held = {tag.key: tag.value for tag in tags or []}
        self.opened.book.create("experiment", id_, set=facts, tags=held)
        return id_

    @locked
    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment, also a deleted one."""
        return shown.experiment(self._experiment(experiment_id), self.opened.root)

    @locked
    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """Return the experiment of that name, None where there is none."""
        for one in self.opened.book.all("experiment"):
            if one.facts.get("name") == experiment_name:
                return shown.experiment(one, self.opened.root)
        return None

    @locked
    def delete_experiment(self, experiment_id: str) -> None:
        """Mark it and its runs as deleted; the records stay."""
        self._living(experiment_id)
        self._set_lifecycle(experiment_id, "deleted")

    @locked
    def restore_experiment(self, experiment_id: str) -> None:
        """Take the mark away again."""
        self._set_lifecycle(experiment_id, "active")

    @locked
    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give it another name; records of its runs keep the one they were made under."""
        self._living(experiment_id)
        validation._validate_experiment_name(new_name)
        self.opened.book.change("experiment", experiment_id, set={"name": new_name, **_updated()})

    @locked
    def set_experiment_tag(self, experiment_id: str, tag: ExperimentTag) -> None:
        """Set a tag."""
        self._living(experiment_id)
        self.opened.book.change(
            "experiment", experiment_id, set=_updated(), tags={tag.key: str(tag.value)}
        )

    @locked
    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Take a tag away."""
        if key not in self._living(experiment_id).tags:
            raise missing(f"No tag with name: {key} in experiment {experiment_id}")
        self.opened.book.change("experiment", experiment_id, set=_updated(), untag=[key])

    def _set_lifecycle(self, experiment_id: str, stage: str) -> None:
        self._experiment(experiment_id)
        self.opened.book.change("experiment", experiment_id, set={"lifecycle": stage, **_updated()})
        for run in list(self.opened.book.all("run")):
            if str(run.facts.get("experiment")) == str(experiment_id):
                self.opened.book.change("run", run.id, set={"lifecycle": stage})

    def _experiment(self, experiment_id: str | None) -> Entity:
        id_ = DEFAULT_EXPERIMENT if experiment_id is None else str(experiment_id)
        found = self.opened.book.get("experiment", id_)
        if found is None:
            raise missing(f"No Experiment with id={id_} exists")
        return found

    def _living(self, experiment_id: str | None) -> Entity:
        found = self._experiment(experiment_id)
        if found.deleted:
            raise MlflowException(
                f"Experiment {experiment_id} is deleted.", error_code=INVALID_STATE
            )
        return found


def missing(message: str) -> MlflowException:
    """Return MLflow's error for what there is not."""
    return MlflowException(message, error_code=RESOURCE_DOES_NOT_EXIST)


def check_count(max_results: Any) -> None:
    """Refuse a count of results as MLflow does."""
    if not isinstance(max_results, int) or not 1 <= max_results <= 50_000:
        raise MlflowException(
            f"Invalid value {max_results} for parameter 'max_results'; 1 to 50000",
            error_code=INVALID_PARAMETER_VALUE,
        )


def _updated() -> dict[str, int]:
    return {"updated": now()}
