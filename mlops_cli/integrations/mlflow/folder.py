"""`mlruns/`: MLflow's store of files, one folder an experiment, a run, a model.

A name is only ever a name of a file that was listed: what a meta.yaml says of ids and paths opens
nothing (see shelves.py for the places that hold artifacts).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.integrations.mlflow import registered
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.files import folders, shown
from mlops_cli.integrations.mlflow.notes import META, Notes
from mlops_cli.integrations.mlflow.source import MODEL_STATUS, RUN_STATUS, Omitted
from mlops_cli.integrations.mlflow.values import plain, whole

_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_BESIDE = ("tags", "datasets", "traces", "models")
_DATASET = ("name", "digest", "source_type", "source", "schema", "profile")


def is_store(path: Path) -> bool:
    """Return whether the folder holds experiments, as MLflow lays them out."""
    if not path.is_dir():
        return False
    return any((path / name / META).is_file() for name in os.listdir(path))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of experiments; what cannot be read is named and left out."""

    notes: Notes

    @property
    def name(self) -> str:
        """How a person called it."""
        return str(self.home)

    @property
    def home(self) -> Path:
        """The folder itself: MLflow puts artifacts beside the runs."""
        return self.notes.root

    @property
    def omitted(self) -> list[Omitted]:
        """What was left out."""
        return self.notes.omitted

    def close(self) -> None:
        """Do nothing: files are closed when they were read."""

    def experiments(self) -> dict[str, Entity]:
        """Return id → experiment; the id is the name of the folder."""
        found = (self.notes.one("experiment", one, self._experiment) for one in self._experiments())
        return {one.id: one for one in found if one}

    def _experiments(self) -> list[Path]:
        listed = [*folders(self.home), *folders(self.home / ".trash")]
        return [path for path in listed if (path / META).is_file() and path.name != "models"]

    def _experiment(self, path: Path) -> Entity:
        facts = self.notes.meta(
            path,
            name="name",
            lifecycle="lifecycle_stage",
            created="creation_time",
            updated="last_update_time",
            artifacts="artifact_location",
        )
        if (traces := len(folders(path / "traces"))) > 0:
            self.omitted.append(Omitted("traces", f"{traces}", "mlops keeps no traces"))
        tags = self.notes.texts(path / "tags")
        return Entity("experiment", shown(path.name), facts, tags=tags)

    def count(self) -> int:
        """Return how many runs there are."""
        return sum(len(_runs(path)) for path in self._experiments())

    def runs(self) -> Iterator[Entity]:
        """Yield the runs of each experiment, each with its points."""
        for experiment in self._experiments():
            for path in _runs(experiment):
                if found := self.notes.one("run", path, self._run):
                    yield found

    def _run(self, path: Path) -> Entity:
        facts = self.notes.meta(
            path,
            name="run_name",
            user="user_id",
            status="status",
            start="start_time",
            end="end_time",
            lifecycle="lifecycle_stage",
            artifacts="artifact_uri",
        )
        facts["status"] = RUN_STATUS.get(facts["status"] or "1", facts["status"])
        facts["experiment"] = shown(path.parent.name)
        run = Entity("run", shown(path.name), facts)
        run.tags = self.notes.texts(path / "tags")
        run.params = self.notes.texts(path / "params")
        run.points = self.notes.points(path / "metrics")
        facts["name"] = facts["name"] or run.tags.get("mlflow.runName")
        for one in folders(path / "inputs"):
            run.inputs += self._input(path.parent, one)
        for one in folders(path / "outputs"):
            step = whole(self.notes.said(one).get("step")) or 0
            run.outputs.append({"type": "model", "id": shown(one.name), "step": step})
        return run

    def _input(self, experiment: Path, path: Path) -> list[dict[str, Any]]:
        said = self.notes.said(path)
        if said.get("source_type") != "DATASET":
            to = plain(said.get("destination_id")) or shown(path.name)
            return [{"type": "model", "id": to}]
        place = experiment / "datasets" / (id_ := str(said.get("source_id")))
        if not _ID.fullmatch(id_) or not (place / META).is_file():
            return []
        told = self.notes.said(place)
        tags = said.get("tags")
        return [
            {
                "type": "dataset",
                **{name: plain(told.get(name)) for name in _DATASET},
                "tags": {name: str(plain(text)) for name, text in tags.items()}
                if isinstance(tags, dict)
                else {},
            }
        ]

    def logged_models(self) -> Iterator[Entity]:
        """Yield the logged models of each experiment."""
        for experiment in self._experiments():
            for path in folders(experiment / "models"):
                if found := self.notes.one("model", path, self._logged):
                    yield found

    def _logged(self, path: Path) -> Entity:
        facts = self.notes.meta(
            path,
            name="name",
            run="source_run_id",
            type="model_type",
            status="status",
            message="status_message",
            created="creation_timestamp",
            updated="last_updated_timestamp",
            lifecycle="lifecycle_stage",
            artifacts="artifact_location",
        )
        facts["experiment"] = shown(path.parent.parent.name)
        facts["lifecycle"] = facts["lifecycle"] or "active"
        facts["status"] = MODEL_STATUS.get(facts["status"] or "0", facts["status"])
        model = Entity("logged-model", shown(path.name), facts)
        model.tags = self.notes.texts(path / "tags")
        model.params = self.notes.texts(path / "params")
        model.points = self.notes.points(path / "metrics", told=True)
        return model

    def models(self) -> Iterator[tuple[Entity, list[Entity]]]:
        """Yield each registered model with its versions, oldest first."""
        return registered.models(self.notes)


def open_folder(path: Path) -> Folder:
    """Return the store in the folder."""
    return Folder(Notes(path))


def _runs(experiment: Path) -> list[Path]:
    return [one for one in folders(experiment) if one.name not in _BESIDE]
