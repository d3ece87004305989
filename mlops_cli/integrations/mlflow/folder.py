"""`mlruns/`: MLflow's store of files, one folder an experiment, a run, a model.

A name is only ever a name of a file that was listed: what a meta.yaml says of ids and paths opens
nothing (see shelves.py for the places that hold artifacts).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.integrations.mlflow import document
from mlops_cli.integrations.mlflow.document import malformed
from mlops_cli.integrations.mlflow.entity import Entity, Point
from mlops_cli.integrations.mlflow.files import bounded, files, folders
from mlops_cli.integrations.mlflow.source import MODEL_STATUS, RUN_STATUS, Omitted

META = "meta.yaml"
_RUN = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_BESIDE = ("tags", "datasets", "traces", "models")
_INTS = ("start", "end", "created", "updated", "number")


def is_store(path: Path) -> bool:
    """Return whether the folder holds experiments, as MLflow lays them out."""
    if not path.is_dir():
        return False
    return any((path / name / META).is_file() for name in os.listdir(path))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of experiments; what cannot be read is named and left out."""

    root: Path
    omitted: list[Omitted] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How a person called it."""
        return str(self.root)

    @property
    def home(self) -> Path:
        """The folder itself: MLflow puts artifacts beside the runs."""
        return self.root

    def close(self) -> None:
        """Do nothing: files are closed when they were read."""

    def experiments(self) -> dict[str, Entity]:
        """Return id → experiment; the id is the name of the folder."""
        return {one.name: each for one in self._experiments() if (each := self._experiment(one))}

    def _experiments(self) -> list[Path]:
        listed = [*folders(self.root), *folders(self.root / ".trash")]
        return [path for path in listed if (path / META).is_file() and path.name != "models"]

    def _experiment(self, path: Path) -> Entity | None:
        facts = self._meta(
            *("experiment", path),
            name="name",
            lifecycle="lifecycle_stage",
            created="creation_time",
            updated="last_update_time",
            artifacts="artifact_location",
        )
        if facts is None:
            return None
        if (traces := len(folders(path / "traces"))) > 0:
            self.omitted.append(Omitted("traces", f"{traces}", "mlops keeps no traces"))
        return Entity("experiment", path.name, facts, tags=self._texts(path / "tags"))

    def count(self) -> int:
        """Return how many runs there are."""
        return sum(len(_runs(path)) for path in self._experiments())

    def runs(self) -> Iterator[Entity]:
        """Yield the runs of each experiment, each with its points."""
        for experiment in self._experiments():
            for path in _runs(experiment):
                if run := self._run(experiment, path):
                    yield run

    def _run(self, experiment: Path, path: Path) -> Entity | None:
        facts = self._meta(
            *("run", path),
            name="run_name",
            user="user_id",
            status="status",
            start="start_time",
            end="end_time",
            lifecycle="lifecycle_stage",
            artifacts="artifact_uri",
        )
        if facts is None:
            return None
        facts["status"] = RUN_STATUS.get(facts["status"] or "1", facts["status"])
        facts["experiment"] = experiment.name
        run = Entity("run", path.name, facts)
        try:
            run.tags, run.params = self._texts(path / "tags"), self._texts(path / "params")
            facts["name"] = facts["name"] or run.tags.get("mlflow.runName")
            run.points = self._points(path / "metrics")
            for one in folders(path / "inputs"):
                run.inputs += self._input(experiment, one)
            for one in folders(path / "outputs"):
                said = document.read(one / META, name=self._named(one / META))
                step = _int(said.get("step")) or 0
                run.outputs.append({"type": "model", "id": one.name, "step": step})
        except ConfigError as exc:
            self.omitted.append(Omitted("run", path.name, exc.message))
            return None
        return run

    def _input(self, experiment: Path, path: Path) -> list[dict[str, Any]]:
        said = document.read(path / META, name=self._named(path / META))
        id_ = str(said.get("source_id"))
        if said.get("source_type") != "DATASET":
            return [{"type": "model", "id": str(said.get("destination_id") or path.name)}]
        place = experiment / "datasets" / id_
        if not _RUN.fullmatch(id_) or not (place / META).is_file():
            return []
        told = document.read(place / META, name=self._named(place / META))
        names = ("name", "digest", "source_type", "source", "schema", "profile")
        tags = said.get("tags") or {}
        return [{"type": "dataset", **{name: told.get(name) for name in names}, "tags": tags}]

    def logged_models(self) -> Iterator[Entity]:
        """Yield the logged models of each experiment."""
        for experiment in self._experiments():
            for path in folders(experiment / "models"):
                facts = self._meta(
                    *("model", path),
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
                if facts is None:
                    continue
                facts["experiment"] = experiment.name
                facts["lifecycle"] = facts["lifecycle"] or "active"
                facts["status"] = MODEL_STATUS.get(facts["status"] or "0", facts["status"])
                model = Entity("logged-model", path.name, facts)
                model.tags = self._texts(path / "tags")
                model.params = self._texts(path / "params")
                model.points = self._points(path / "metrics", told=3)
                yield model

    def models(self) -> Iterator[tuple[Entity, list[Entity]]]:
        """Yield each registered model with its versions, oldest first."""
        for path in folders(self.root / "models"):
            facts = self._meta(
                *("model", path),
                created="creation_timestamp",
                updated="last_updated_timestamp",
                description="description",
            )
            if facts is None:
                continue
            facts["aliases"] = self._texts(path / "aliases")
            model = Entity("model", path.name, facts, tags=self._texts(path / "tags"))
            versions = [self._version(path, one) for one in folders(path)]
            found = [one for one in versions if one is not None]
            yield model, sorted(found, key=lambda one: int(one.facts["number"]))

    def _version(self, model: Path, path: Path) -> Entity | None:
        number = _int(path.name.removeprefix("version-"))
        if not path.name.startswith("version-") or not number:
            return None
        facts = self._meta(
            *("version", path),
            created="creation_timestamp",
            updated="last_updated_timestamp",
            description="description",
            user="user_id",
            stage="current_stage",
            source="source",
            artifacts="storage_location",
            run="run_id",
            logged_model="model_id",
            status="status",
            message="status_message",
        )
        if facts is None:
            return None
        facts |= {"model": model.name, "number": number}
        tags = self._texts(path / "tags")
        return Entity("version", f"{model.name}/{number}", facts, tags=tags)

    def _meta(self, what: str, path: Path, **names: str) -> dict[str, Any] | None:
        """Return our names → what meta.yaml says; None, told, where it cannot be read."""
        try:
            said = document.read(path / META, name=self._named(path / META))
            facts = {ours: said.get(theirs) for ours, theirs in names.items()}
            return facts | {name: _int(facts[name]) for name in _INTS if name in facts}
        except ConfigError as exc:
            self.omitted.append(Omitted(what, path.name, exc.message))
            return None

    def _texts(self, folder: Path) -> dict[str, str]:
        """Return the name of each file below → its text: a name may hold a slash."""
        return {
            name: bounded(path, name=self._named(path)).decode("utf-8", "replace")
            for name, path in files(folder)
        }

    def _points(self, folder: Path, told: int = 2) -> list[Point]:
        """Return the points of all metrics; `told` of a model: its run comes before its dataset."""
        found: list[Point] = []
        for name, path in files(folder):
            for line in (
                bounded(path, name=self._named(path)).decode("utf-8", "replace").splitlines()
            ):
                words = line.split(" ")
                try:
                    time, value, step = int(words[0]), float(words[1]), int((*words, "0")[2])
                except (ValueError, IndexError) as exc:
                    raise malformed(self._named(path), f"{line[:80]!r} is no point") from exc
                rest = words[3:] if told == 3 else ()
                found.append(Point(name, value, time, step, _told(rest)))
        return found

    def _named(self, path: Path) -> str:
        return f"{self.root.name}/{path.relative_to(self.root)}"


def _runs(experiment: Path) -> list[Path]:
    return [one for one in folders(experiment) if one.name not in _BESIDE]


def _told(words: Any) -> tuple[str | None, ...]:
    return (*words, None, None)[:3] if words else ()


def _int(text: Any) -> int | None:
    try:
        number = float(text)
        return (
            int(text)
            if str(text).lstrip("-").isdecimal()
            else int(number)
            if math.isfinite(number)
            else None
        )
    except (TypeError, ValueError):
        return None
