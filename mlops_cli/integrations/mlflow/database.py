"""`mlflow.db`: what MLflow keeps in SQLite, of which a table is a kind of thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.source import MODEL_STATUS, Omitted
from mlops_cli.integrations.mlflow.tables import Tables, open_tables
from mlops_cli.integrations.mlflow.values import plain, point, whole

_NOT_TAKEN = {
    "trace_info": "traces",
    "assessments": "assessments",
    "evaluation_datasets": "evaluation datasets",
    "scorers": "scorers",
    "webhooks": "webhooks",
    "issues": "issues",
}
_RUN = (
    "name user_id:user status start_time:start end_time:end lifecycle_stage:lifecycle"
    " artifact_uri:artifacts experiment_id:experiment"
)
_LOGGED = (
    "name experiment_id:experiment source_run_id:run model_type:type status status_message:message"
    " creation_timestamp_ms:created last_updated_timestamp_ms:updated lifecycle_stage:lifecycle"
    " artifact_location:artifacts"
)
_MODEL = "creation_time:created last_updated_time:updated description"
_VERSION = (
    "name:model version:number creation_time:created last_updated_time:updated description"
    " user_id:user current_stage:stage source storage_location:artifacts run_id:run status"
    " status_message:message"
)
_DATASET = (
    "name digest dataset_source_type:source_type dataset_source:source dataset_schema:schema"
    " dataset_profile:profile"
)
_EXPERIMENT = (
    "name lifecycle_stage:lifecycle creation_time:created last_update_time:updated"
    " artifact_location:artifacts"
)


@dataclass(frozen=True, slots=True)
class Database:
    """The things of MLflow in the tables; all reading sees one moment of them."""

    tables: Tables
    omitted: list[Omitted] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How a person called it."""
        return str(self.tables.path)

    @property
    def home(self) -> Path:
        """The folder that holds the database; MLflow puts mlruns and mlartifacts beside it."""
        return self.tables.path.parent

    def close(self) -> None:
        """Let writers in again."""
        self.tables.connection.close()

    def experiments(self) -> dict[str, Entity]:
        """Return id → experiment."""
        found = {}
        for key, facts in self.tables.rows("experiments", "experiment_id", _EXPERIMENT):
            tags = self.tables.pairs("experiment_tags", "key", "value", experiment_id=key)
            found[str(key)] = Entity("experiment", str(key), facts, tags=tags)
        return found

    def count(self) -> int:
        """Return how many runs there are."""
        return int(self.tables.all("select count(*) from runs")[0][0])

    def runs(self) -> Iterator[Entity]:
        """Yield the runs, oldest first, each with its points."""
        points = (
            "select key, case when is_nan then 'nan' else value end, coalesce(timestamp, 0),"
            " coalesce(step, 0) from metrics where run_uuid = ? order by rowid"
        )
        for key, facts in self.tables.rows("runs", "run_uuid", _RUN, order="start_time"):
            run = Entity("run", str(plain(key)), facts)
            run.params = self.tables.pairs("params", "key", "value", run_uuid=key)
            run.tags = self.tables.pairs("tags", "key", "value", run_uuid=key)
            self._joined(run, key)
            if self._logged(run, points, key):
                yield run

    def _logged(self, thing: Entity, question: str, key: Any) -> bool:
        """Add the points; False where one of them is none, and the thing is left out."""
        for name, value, time, step, *told in self.tables.all(question, key):
            found = point(plain(name), value, time, step, tuple(map(plain, told)))
            if found is None:
                self.omitted.append(Omitted(thing.kind, thing.id, f"{name!r} has what is no point"))
                return False
            thing.points.append(found)
        return True

    def _joined(self, run: Entity, key: Any) -> None:
        """Add the datasets and models that went into the run and came out of it."""
        if "inputs" not in self.tables.columns:
            return
        step = "step" if "step" in self.tables.columns["inputs"] else "0"
        for id_, kind, source, to, step_ in self.tables.all(
            f"select input_uuid, source_type, source_id, destination_id, {step} from inputs"
            " where destination_id = ? or source_id = ? order by rowid",
            *(key, key),
        ):
            if kind == "DATASET":
                tags = self.tables.pairs("input_tags", input_uuid=id_)
                run.inputs += self._dataset(source, tags)
            elif kind == "RUN_INPUT":
                run.inputs.append({"type": "model", "id": plain(to)})
            elif kind == "RUN_OUTPUT":
                run.outputs.append({"type": "model", "id": plain(to), "step": whole(step_)})

    def _dataset(self, id_: str, tags: dict[str, str]) -> list[dict[str, Any]]:
        found = self.tables.rows("datasets", "dataset_uuid", _DATASET, where={"dataset_uuid": id_})
        return [{"type": "dataset", **facts, "tags": tags} for _, facts in found]

    def logged_models(self) -> Iterator[Entity]:
        """Yield the logged models; a database of MLflow 2 has none."""
        if "logged_models" not in self.tables.columns:
            return
        points = (
            "select metric_name, coalesce(metric_value, 'nan'), metric_timestamp_ms, metric_step,"
            " run_id, dataset_name, dataset_digest from logged_model_metrics where model_id = ?"
            " order by rowid"
        )
        for key, facts in self.tables.rows("logged_models", "model_id", _LOGGED):
            facts["status"] = MODEL_STATUS.get(str(facts["status"]), "UNSPECIFIED")
            facts["lifecycle"] = facts["lifecycle"] or "active"
            model = Entity("logged-model", str(plain(key)), facts)
            model.params = self.tables.pairs(
                "logged_model_params", "param_key", "param_value", model_id=key
            )
            model.tags = self.tables.pairs(
                "logged_model_tags", "tag_key", "tag_value", model_id=key
            )
            if self._logged(model, points, key):
                yield model

    def models(self) -> Iterator[tuple[Entity, list[Entity]]]:
        """Yield each registered model with its versions, oldest first."""
        for key, facts in self.tables.rows("registered_models", "name", _MODEL):
            facts["aliases"] = self.tables.pairs(
                "registered_model_aliases", "alias", "version", name=key
            )
            tags = self.tables.pairs("registered_model_tags", name=key)
            model = Entity("model", str(plain(key)), facts, tags=tags)
            yield model, list(self._versions(model.id, key))

    def _versions(self, model: str, name: Any) -> Iterator[Entity]:
        for key, facts in self.tables.rows(
            "model_versions", "version", _VERSION, where={"name": name}
        ):
            number = whole(key)
            if number is None:
                self.omitted.append(Omitted("version", f"{model}/{key!r}", "it has no number"))
                continue
            source = facts["source"] or ""
            logged = source.removeprefix("models:/") if source.startswith("models:/m-") else None
            tags = self.tables.pairs("model_version_tags", name=name, version=key)
            facts |= {"number": number, "logged_model": logged}
            yield Entity("version", f"{model}/{number}", facts, tags=tags)


def open_database(path: Path) -> Database:
    """Return the database at `path`. Raises as `open_tables` does."""
    tables = open_tables(path)
    return Database(tables, list(_left_out(tables)))


def _left_out(tables: Tables) -> Iterator[Omitted]:
    for table, what in _NOT_TAKEN.items():
        if table in tables.columns:
            count = tables.all(f"select count(*) from {table}")[0][0]
            if count:
                yield Omitted(what, f"{count}", f"mlops keeps no {what}")
    if "workspace" in tables.columns["experiments"]:
        for name, count in tables.all(
            "select workspace, count(*) from experiments where workspace <> 'default' group by 1"
        ):
            why = f"{count} experiments; only the default one is taken"
            yield Omitted("workspace", str(plain(name)), why)
