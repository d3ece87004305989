"""`mlflow.db`: MLflow's tables in SQLite, opened read-only; MLflow itself is not needed."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlops_cli.errors import IntegrityError
from mlops_cli.integrations.mlflow import revisions
from mlops_cli.integrations.mlflow.entity import Entity, Point
from mlops_cli.integrations.mlflow.source import MODEL_STATUS, Omitted

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
_EXPERIMENT = (
    "name lifecycle_stage:lifecycle creation_time:created last_update_time:updated"
    " artifact_location:artifacts"
)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database of a known revision; all reading sees one moment of it."""

    path: Path
    connection: sqlite3.Connection
    columns: dict[str, frozenset[str]]
    omitted: list[Omitted] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How a person called it."""
        return str(self.path)

    @property
    def home(self) -> Path:
        """The folder that holds the database; MLflow puts mlruns and mlartifacts beside it."""
        return self.path.parent

    def close(self) -> None:
        """Let writers in again."""
        self.connection.close()

    def experiments(self) -> dict[str, Entity]:
        """Return id → experiment."""
        found = {}
        for row in self._rows("experiments", "experiment_id", _EXPERIMENT):
            tags = self._pairs("experiment_tags", "key", "value", experiment_id=row["id"])
            id_ = str(row.pop("id"))
            found[id_] = Entity("experiment", id_, row, tags=tags)
        return found

    def count(self) -> int:
        """Return how many runs there are."""
        return int(self._all("select count(*) from runs")[0][0])

    def runs(self) -> Iterator[Entity]:
        """Yield the runs, oldest first, each with its points."""
        for row in self._rows("runs", "run_uuid", _RUN, order="start_time"):
            id_ = str(row.pop("id"))
            row["experiment"] = str(row["experiment"])
            run = Entity("run", id_, row)
            run.params = self._pairs("params", "key", "value", run_uuid=id_)
            run.tags = self._pairs("tags", "key", "value", run_uuid=id_)
            run.points = [
                Point(key, math.nan if is_nan else float(value), int(time or 0), int(step))
                for key, value, time, step, is_nan in self._all(
                    "select key, value, timestamp, step, is_nan from metrics"
                    " where run_uuid = ? order by rowid",
                    id_,
                )
            ]
            self._joined(run)
            yield run

    def _joined(self, run: Entity) -> None:
        """Add the datasets and models that went into the run and came out of it."""
        if "inputs" not in self.columns:
            return
        step = "step" if "step" in self.columns["inputs"] else "0"
        for id_, kind, source, to, step_ in self._all(
            f"select input_uuid, source_type, source_id, destination_id, {step} from inputs"
            " where destination_id = ? or source_id = ? order by rowid",
            *(run.id, run.id),
        ):
            if kind == "DATASET":
                run.inputs += self._dataset(source, self._pairs("input_tags", input_uuid=id_))
            elif kind == "RUN_INPUT":
                run.inputs.append({"type": "model", "id": to})
            elif kind == "RUN_OUTPUT":
                run.outputs.append({"type": "model", "id": to, "step": step_})

    def _dataset(self, id_: str, tags: dict[str, str]) -> list[dict[str, Any]]:
        names = ("name", "digest", "source_type", "source", "schema", "profile")
        return [
            {"type": "dataset", **dict(zip(names, row, strict=True)), "tags": tags}
            for row in self._all(
                "select name, digest, dataset_source_type, dataset_source, dataset_schema,"
                " dataset_profile from datasets where dataset_uuid = ?",
                id_,
            )
        ]

    def logged_models(self) -> Iterator[Entity]:
        """Yield the logged models; a database of MLflow 2 has none."""
        if "logged_models" not in self.columns:
            return
        for row in self._rows("logged_models", "model_id", _LOGGED):
            id_ = str(row.pop("id"))
            row["experiment"] = str(row["experiment"])
            row["status"] = MODEL_STATUS.get(str(row["status"]), "UNSPECIFIED")
            row["lifecycle"] = row["lifecycle"] or "active"
            model = Entity("logged-model", id_, row)
            model.params = self._pairs(
                "logged_model_params", "param_key", "param_value", model_id=id_
            )
            model.tags = self._pairs("logged_model_tags", "tag_key", "tag_value", model_id=id_)
            model.points = [
                Point(key, float("nan" if value is None else value), time, step, tuple(told))
                for key, value, time, step, *told in self._all(
                    "select metric_name, metric_value, metric_timestamp_ms, metric_step, run_id,"
                    " dataset_name, dataset_digest from logged_model_metrics where model_id = ?"
                    " order by rowid",
                    id_,
                )
            ]
            yield model

    def models(self) -> Iterator[tuple[Entity, list[Entity]]]:
        """Yield each registered model with its versions, oldest first."""
        for row in self._rows("registered_models", "name", _MODEL):
            name = str(row.pop("id"))
            aliases = self._pairs("registered_model_aliases", "alias", "version", name=name)
            model = Entity("model", name, {**row, "aliases": aliases})
            model.tags = self._pairs("registered_model_tags", name=name)
            yield model, list(self._versions(name))

    def _versions(self, name: str) -> Iterator[Entity]:
        for row in self._rows("model_versions", "version", _VERSION, where={"name": name}):
            number = int(row.pop("id"))
            source = str(row["source"] or "")
            logged = source.removeprefix("models:/") if source.startswith("models:/m-") else None
            tags = self._pairs("model_version_tags", name=name, version=number)
            facts = {**row, "number": number, "logged_model": logged}
            yield Entity("version", f"{name}/{number}", facts, tags=tags)

    def _rows(
        self,
        table: str,
        key: str,
        wanted: str,
        *,
        order: str = "rowid",
        where: dict[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of the default workspace: name → value of the columns that are there."""
        there = self.columns.get(table, frozenset())
        conditions = dict(where or {})
        if "workspace" in there:
            conditions["workspace"] = "default"
        pairs = [(column, name or column) for column, _, name in map(_split, wanted.split())]
        columns = ", ".join([key, *(column if column in there else "null" for column, _ in pairs)])
        test = " and ".join(f"{name} = ?" for name in conditions) or "1"
        for id_, *values in self._all(
            f"select {columns} from {table} where {test} order by {order}, {key}",
            *conditions.values(),
        ):
            yield {"id": id_, **dict(zip((name for _, name in pairs), values, strict=True))}

    def _pairs(
        self, table: str, key: str = "", value: str = "value", **equal: Any
    ) -> dict[str, str]:
        there = self.columns.get(table)
        if there is None:
            return {}
        key = key or ("key" if "key" in there else "name")
        if "workspace" in there:
            equal["workspace"] = "default"
        test = " and ".join(f"{name} = ?" for name in equal)
        rows = self._all(f"select {key}, {value} from {table} where {test}", *equal.values())
        return {str(name): str(text if text is not None else "") for name, text in rows}

    def _all(self, question: str, *values: Any) -> list[Any]:
        try:
            return self.connection.execute(question, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise _damaged(self.path, exc) from exc


def open_database(path: Path) -> Database:
    """Return the database at `path`, checked to be one whose shape is known.

    Raises ConfigError ("unknown-mlflow-version"), IntegrityError ("damaged-mlflow-db").
    """
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.execute("pragma trusted_schema = off")  # its views may not call functions
        connection.execute("begin")
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        names = [str(name) for (name,) in tables]
        columns = {
            name: frozenset(row[1] for row in connection.execute(f"pragma table_info({_q(name)})"))
            for name in names
        }
        found = (
            connection.execute("select version_num from alembic_version").fetchone()
            if ("alembic_version" in columns)
            else None
        )
    except sqlite3.DatabaseError as exc:
        raise _damaged(path, exc) from exc
    revisions.check(str(found[0]) if found else None, name=path.name)
    database = Database(path, connection, columns)
    database.omitted.extend(_left_out(database))
    return database


def _left_out(database: Database) -> Iterator[Omitted]:
    for table, what in _NOT_TAKEN.items():
        if table in database.columns:
            count = database._all(f"select count(*) from {table}")[0][0]
            if count:
                yield Omitted(what, f"{count}", f"mlops keeps no {what}")
    if "workspace" in database.columns.get("experiments", ()):
        for name, count in database._all(
            "select workspace, count(*) from experiments where workspace <> 'default' group by 1"
        ):
            yield Omitted("workspace", name, f"{count} experiments; only the default one is taken")


def _split(word: str) -> tuple[str, str, str]:
    return word.partition(":")


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _damaged(path: Path, exc: Exception) -> IntegrityError:
    return IntegrityError(
        f"{path} cannot be read as a database of MLflow: {exc}",
        code="damaged-mlflow-db",
        hint=f"sqlite3 {path.name} 'pragma integrity_check'",
        details={"path": str(path)},
    )
