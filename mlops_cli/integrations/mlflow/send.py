"""Runs of mlops become runs of an MLflow server.

Each record of a run is one run there, marked with the tag `mlops.record`; one whose status is
still RUNNING was cut short, and is made anew. What is there already is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlops_cli.errors import NotFound
from mlops_cli.integrations.mlflow import artifacts, outgoing
from mlops_cli.integrations.mlflow.rest import Server
from mlops_cli.integrations.mlflow.row import Row
from mlops_cli.ledger.record import Record
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

MARK = "mlops.record"
_PROXIED = "mlflow-artifacts:"
_METRICS, _PAIRS = 500, 100  # of one request; the server takes 1000 and 100
_LONGEST = {"params": 6000, "tags": 8000}  # letters that a server takes
_STATUS = {"done": "FINISHED", "cached": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
_Item = TypeVar("_Item")


@dataclass(slots=True)
class Sending:
    """A server, what is known to be there, and what became of what was sent."""

    server: Server
    cache: Cache
    with_artifacts: bool = True
    dry_run: bool = False
    rows: list[Row] = field(default_factory=list)
    there: dict[str, tuple[str, str]] = field(default_factory=dict)  # record → run id, artifacts
    experiments: dict[str, str] = field(default_factory=dict)

    def runs(self, records: Sequence[Record], progress: Progress = SILENT) -> None:
        """Send the runs that are not there yet, oldest first."""
        for name in sorted({str(record["step"]) for record in records}):
            self._look(name)
        with progress.task("sending", total=len(records), unit="runs") as task:
            for record in sorted(records, key=lambda one: str(one["time"])):
                digest = str(record.digest)
                if digest in self.there:
                    self.rows.append(Row("run", _shown(record), "unchanged"))
                elif self.dry_run:
                    self.there[digest] = "", ""
                    self.rows.append(Row("run", _shown(record), "sent"))
                else:
                    self._run(record)
                task.advance()

    def _look(self, name: str) -> None:
        """Find the experiment and the runs in it that an earlier export sent."""
        try:
            found = self.server.get("experiments/get-by-name", experiment_name=name)
        except NotFound:
            if not self.dry_run:
                made = self.server.post("experiments/create", name=name)
                self.experiments[name] = made["experiment_id"]
            return
        id_ = self.experiments[name] = found["experiment"]["experiment_id"]
        marked = f"tags.`{MARK}` LIKE 'sha256:%'"
        for run in self.server.pages("runs/search", "runs", experiment_ids=[id_], filter=marked):
            info, tags = run["info"], run["data"].get("tags", ())
            record = next((tag["value"] for tag in tags if tag["key"] == MARK), "")
            if info["status"] != "RUNNING":
                self.there[record] = info["run_id"], info.get("artifact_uri", "")
            elif not self.dry_run:
                self.server.post("runs/delete", run_id=info["run_id"])

    def _run(self, record: Record) -> None:
        thing = outgoing.thing(record, self.cache)
        start = thing.facts.get("start") or outgoing.milliseconds(
            record["started"] or record["time"]
        )
        made = self.server.post(
            "runs/create",
            experiment_id=self.experiments[str(record["step"])],
            start_time=start,
            run_name=thing.facts.get("name") or str(record["run"]),
            tags=[{"key": MARK, "value": str(record.digest)}],
        )
        info = made["run"]["info"]
        run_id, uri = info["run_id"], str(info.get("artifact_uri", ""))
        own = {
            "mlops.run": str(record["run"]),
            "mlops.commit": (record["code"] or {}).get("commit"),
        }
        tags = {**thing.tags, **{key: text for key, text in own.items() if text}}
        tags.pop("mlflow.runName", None)
        for points in _some(thing.points, _METRICS):
            self._log(run_id, metrics=[outgoing.metric(point) for point in points])
        for pairs in _some(list(thing.params.items()), _PAIRS):
            self._log(run_id, params=outgoing.pairs(pairs, _LONGEST["params"]))
        for pairs in _some(list(tags.items()), _PAIRS):
            self._log(run_id, tags=outgoing.pairs(pairs, _LONGEST["tags"]))
        if datasets := [one for one in thing.inputs if one.get("type") == "dataset"]:
            self.server.post(
                "runs/log-inputs", run_id=run_id, datasets=list(map(outgoing.dataset, datasets))
            )
        if self.with_artifacts:
            for below, tree in outgoing.trees(record, self.cache).items():
                if not self.files(tree, uri, below, _shown(record)):
                    break
        end = thing.facts.get("end") or start + round(1000 * float(record["seconds"] or 0))
        status = _STATUS.get(str(record["status"]), "KILLED")
        self.server.post("runs/update", run_id=run_id, status=status, end_time=end)
        self.there[str(record.digest)] = run_id, uri
        self.rows.append(Row("run", _shown(record), "sent"))

    def _log(self, run_id: str, **parts: Any) -> None:
        self.server.post("runs/log-batch", run_id=run_id, **parts)

    def files(self, tree: str, uri: str, below: str, shown: str) -> bool:
        """Upload the files of a tree below an artifact URI; tell why where that cannot be."""
        if not uri.startswith(_PROXIED):
            why = f"the server takes none over HTTP ({uri.partition(':')[0]}:)"
            self.rows.append(Row("artifacts", shown, "left out", why))
            return False
        place = uri.removeprefix(_PROXIED).lstrip("/").rstrip("/")
        try:
            for path, file in artifacts.files_of(self.cache, tree).items():
                with self.cache.open(Digest.parse(file.digest)) as stream:
                    self.server.put_artifact(f"{place}/{below}{path}", stream, file.size)
        except NotFound as exc:
            self.rows.append(Row("artifacts", shown, "left out", f"{exc.message}; {exc.hint}"))
            return False
        return True


def _shown(record: Record) -> str:
    return f"{record['run']} {record['step']}"


def _some(items: Sequence[_Item], most: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
