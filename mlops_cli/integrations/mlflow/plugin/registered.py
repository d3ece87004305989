"""Registered models of MLflow: what is said of them is in the ledger, their versions are tags."""

from __future__ import annotations

from typing import Any

from mlflow.entities.model_registry import (
    ModelVersion,
    RegisteredModel,
    RegisteredModelTag,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    NOT_IMPLEMENTED,
    RESOURCE_ALREADY_EXISTS,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils import validation
from mlflow.utils.search_utils import SearchModelUtils, SearchUtils

from mlops_cli.integrations.mlflow.book import now
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.plugin import models_shown
from mlops_cli.integrations.mlflow.plugin.experiments import check_count, missing
from mlops_cli.integrations.mlflow.plugin.locked import locked
from mlops_cli.integrations.mlflow.plugin.opened import Opened
from mlops_cli.integrations.mlflow.policy import slug
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.registry import Registry


class Models:
    """The calls of MLflow's registry that are about models."""

    opened: Opened

    @locked
    def create_registered_model(
        self,
        name: str,
        tags: list[RegisteredModelTag] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Write down that there is a model of this name; its versions follow."""
        validation._validate_model_name(name)
        here = slug(name)
        for one in self.opened.book.all("model"):
            if not one.deleted and here in (slug(one.id), one.id):
                raise MlflowException(
                    f"Registered Model (name={one.id}) already exists.",
                    error_code=RESOURCE_ALREADY_EXISTS,
                )
        at = now()
        facts = {
            "created": at,
            "updated": at,
            "description": description,
            "here": here,
            "lifecycle": "active",
        }
        held = {tag.key: str(tag.value) for tag in tags or []}
        self.opened.book.change("model", name, set=facts, tags=held)
        return self.get_registered_model(name)

    @locked
    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model with its newest version and its aliases."""
        return models_shown.model(
            self.opened.book, self._model(name), Registry(self.opened.book.git).of(slug(name))
        )

    @locked
    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Describe a model."""
        self._change(name, set={"description": description})
        return self.get_registered_model(name)

    @locked
    def set_registered_model_tag(self, name: str, tag: RegisteredModelTag) -> None:
        """Set a tag."""
        self._change(name, tags={tag.key: str(tag.value)})

    @locked
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Take a tag away."""
        self._change(name, untag=[key])

    @locked
    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Return the models that fit, by MLflow's own grammar."""
        check_count(max_results)
        held = Registry(self.opened.book.git).holdings()
        things = {slug(one.id): one for one in self.opened.book.all("model") if not one.deleted}
        names = sorted({*held, *things})
        found = [
            models_shown.model(
                self.opened.book,
                things.get(name) or Entity("model", name),
                held.get(name) or Holdings(name, (), {}),
            )
            for name in names
        ]
        fitting = SearchModelUtils.sort(SearchModelUtils.filter(found, filter_string), order_by)
        return page(fitting, max_results, page_token)

    @locked
    def get_latest_versions(self, name: str, stages: list[str] | None = None) -> list[ModelVersion]:
        """Return the newest version; of stages there is only "None"."""
        if stages and "none" not in [stage.lower() for stage in stages]:
            return []
        return list(self.get_registered_model(name).latest_versions)

    @locked
    def delete_registered_model(self, name: str) -> None:
        """Forget a name that has no versions; versions are never deleted."""
        self._model(name)
        if Registry(self.opened.book.git).numbers(slug(name)):
            raise never("versions are never deleted; delete_registered_model_alias retires one")
        self._change(name, set={"lifecycle": "deleted"})

    def _model(self, name: str) -> Entity:
        found = self.opened.book.get("model", name)
        if found is not None and not found.deleted:
            return found
        if Registry(self.opened.book.git).numbers(slug(name)):
            return Entity("model", name)  # registered by mlops itself
        raise missing(f"Registered Model with name={name} not found")

    def _change(self, name: str, **parts: Any) -> None:
        self._model(name)
        parts["set"] = {**parts.get("set", {}), "updated": now()}
        self.opened.book.change("model", name, **parts)


def page(found: list[Any], max_results: int | None, token: str | None) -> PagedList[Any]:
    """Return the part of a result that was asked for."""
    page, after = SearchUtils.paginate(found, token, max_results)
    return PagedList(page, after)


def never(why: str) -> MlflowException:
    """Return MLflow's error for what is not done here."""
    return MlflowException(f"mlops: {why}", error_code=NOT_IMPLEMENTED)
