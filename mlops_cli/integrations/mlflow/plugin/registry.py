"""The model registry of MLflow on our tags; its entry point: `mlflow.model_registry_store`.

What MLflow would change or delete and we only ever add to is refused, with the way that there is.
"""

from __future__ import annotations

from typing import Any, NoReturn
from urllib.parse import quote

from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchModelVersionUtils

from mlops_cli.integrations.mlflow.book import now
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.plugin import models_shown, registering
from mlops_cli.integrations.mlflow.plugin.experiments import check_count, missing
from mlops_cli.integrations.mlflow.plugin.locked import locked
from mlops_cli.integrations.mlflow.plugin.opened import artifacts_uri, opened
from mlops_cli.integrations.mlflow.plugin.registered import Models, never, page
from mlops_cli.integrations.mlflow.policy import slug
from mlops_cli.registry.registry import Registry


class MlopsRegistry(Models, AbstractStore):
    """Registered models, versions and aliases of one project."""

    def __init__(self, store_uri: str, tracking_uri: str | None = None) -> None:
        self.opened = opened(store_uri)
        super().__init__(store_uri, tracking_uri)

    @locked
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: list[ModelVersionTag] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Register what was logged at `source`; a model that is registered is its version."""
        self._model(name)
        if model_id and not run_id:
            logged = self.opened.book.get("logged-model", model_id)
            run_id = logged.facts.get("run") if logged else None
        facts = {"model": name, "source": source, "run": run_id, "logged_model": model_id}
        made = registering.register(self.opened, Entity("version", "", facts))
        at = now()
        state = {"description": description, "run_link": run_link, "created": at, "updated": at}
        self.opened.book.change(
            "version",
            f"{name}/{made.number}",
            set={**facts, **state},
            tags={tag.key: str(tag.value) for tag in tags or []},
        )
        self._change(name)
        return self.get_model_version(name, made.number)

    @locked
    def get_model_version(self, name: str, version: Any) -> ModelVersion:
        """Return a version."""
        held = Registry(self.opened.book.git).of(slug(name))
        found = next((one for one in held.versions if str(one.number) == str(version)), None)
        if found is None:
            raise missing(f"Model Version (name={name}, version={version}) not found")
        return models_shown.version(self.opened.book, name, found, held)

    @locked
    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version that an alias means."""
        held = Registry(self.opened.book.git).of(slug(name))
        event = held.current().get(alias)
        if event is None or event.version is None:
            raise MlflowException(
                f"Registered model alias {alias} not found.", error_code=INVALID_PARAMETER_VALUE
            )
        return self.get_model_version(name, event.version)

    @locked
    def get_model_version_download_uri(self, name: str, version: Any) -> str:
        """Return where the files of a version are: its bundle in our cache."""
        self.get_model_version(name, version)
        return artifacts_uri(self.opened.root, "version", quote(f"{name}/{version}", safe=""))

    @locked
    def update_model_version(
        self, name: str, version: Any, description: str | None
    ) -> ModelVersion:
        """Describe a version; its tag stays as it is."""
        self._change_version(name, version, set={"description": description})
        return self.get_model_version(name, version)

    @locked
    def set_model_version_tag(self, name: str, version: Any, tag: ModelVersionTag) -> None:
        """Set a tag of MLflow on a version."""
        self._change_version(name, version, tags={tag.key: str(tag.value)})

    @locked
    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """Take a tag of MLflow away."""
        self._change_version(name, version, untag=[key])

    @locked
    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Return the versions that fit, by MLflow's own grammar."""
        check_count(max_results)
        names = {slug(one.id): one.id for one in self.opened.book.all("model")}
        found = [
            models_shown.version(self.opened.book, names.get(here, here), version, held)
            for here, held in Registry(self.opened.book.git).holdings().items()
            for version in held.versions
        ]
        fitting = SearchModelVersionUtils.filter(found, filter_string)
        return page(SearchModelVersionUtils.sort(fitting, order_by), max_results, page_token)

    @locked
    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """Make an alias mean a version; where the project guards it, only promote may."""
        self.get_model_version(name, version)
        registering.point(self.opened, name, alias, int(version))

    @locked
    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Retire an alias: one further event."""
        if self._model(name) and Registry(self.opened.book.git).alias(slug(name), alias):
            registering.point(self.opened, name, alias, None)

    def delete_model_version(self, name: str, version: Any) -> NoReturn:
        """Refuse."""
        raise never("versions are never deleted; delete_registered_model_alias retires one")

    def rename_registered_model(self, name: str, new_name: str) -> NoReturn:
        """Refuse."""
        raise never("models are not renamed; register it under the other name too")

    def transition_model_version_stage(
        self, name: str, version: Any, stage: str, archive_existing_versions: bool
    ) -> NoReturn:
        """Refuse."""
        raise never("there are no stages; set_registered_model_alias makes an alias")

    def _change_version(self, name: str, version: Any, **parts: Any) -> None:
        self.get_model_version(name, version)
        parts["set"] = {**parts.get("set", {}), "updated": now()}
        self.opened.book.change("version", f"{name}/{version}", **parts)
