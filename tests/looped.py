"""The loop twice around as records, tags and bytes, without training anything.

v1 is made of `flights` and `weather`, promoted, served; a prediction is logged, a check leads to
the decision that makes v2 of more flights, other code, another learning rate, another library.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Code, record
from mlops_cli.pipeline.keys.code import digest_of
from mlops_cli.registry.registry import Registry
from mlops_cli.store.cache import open_cache
from mlops_cli.store.tree import Entry, write_tree
from mlops_cli.vcs.repo import Git

BEGIN = datetime(2013, 2, 1, tzinfo=UTC)
SOURCES = ("def fit():\n    return 1\n", "def fit():\n    return 2\n")
PIPELINE = """\
version: 1
project: {name: trips, task: binary}
data: {flights: {path: data/flights, key: id, time: at, label: {column: late}}}
features:
  carrier:
    {entity: [carrier, origin], from: data.flights, time: at, transform: "a.py:b",
     fields: {size: int}}
"""


def d(name: str) -> str:
    """Return the digest of bytes that nobody has."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Loop:
    """A repository and what was told of it: name → digest of the record."""

    root: Path
    told: dict[str, str] = field(default_factory=dict)
    at: datetime = BEGIN

    def tell(self, name: str, kind: str, **fields: Any) -> str:
        """Spool a record, a minute after the one before."""
        self.at += timedelta(minutes=1)
        made = record(kind, time=self.at, actor="Ada <ada@example.org>", **fields)
        self.told[name] = str(open_ledger(Git(self.root)).spool(made))
        return self.told[name]

    def ran(self, name: str, step: str, kind: str, inputs: Any, outputs: Any, **more: Any) -> str:
        """Tell of a step that ran."""
        fields = {"key": "k", "status": "done", "seconds": 1.5, "params": {}, "metrics": {}}
        return self.tell(
            name,
            "run",
            step=step,
            step_kind=kind,
            started=self.at,
            inputs=inputs,
            outputs=outputs,
            **{**fields, **more},
        )

    def flush(self) -> None:
        open_ledger(Git(self.root)).flush()


def table(rows: dict[str, list[Any]]) -> bytes:
    """Return rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table(rows), sink)
    return sink.getvalue()


def segment(model: str, version: int, ids: list[str]) -> bytes:
    """Return a segment of the prediction log."""
    import pyarrow as pa

    stamp = pa.timestamp("us", tz="UTC")
    when = [datetime(2013, 2, 2, 9, tzinfo=UTC)] * len(ids)
    rows = pa.table(
        {
            "request_id": ids,
            "time": pa.array(when, stamp),
            "received": pa.array([BEGIN + timedelta(hours=12)] * len(ids), stamp),
            "model": [model] * len(ids),
            "version": pa.array([version] * len(ids), pa.int32()),
            "variant": ["champion"] * len(ids),
            "score": [0.25] * len(ids),
            "input.secret": ["nobody else's business"] * len(ids),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()


def dataset(root: Path, ids: list[str], carrier: str) -> str:
    """Store a dataset whose train side has the rows `ids`, and return its digest."""
    cache = open_cache(root / ".mlops/cache")
    rows = table({"id": ids, "carrier": [carrier] * len(ids), "origin": ["EWR"] * len(ids)})
    files = {"train.parquet": rows, "dataset.json": b'{"source": {"path": "data/flights"}}'}
    entries = [Entry(name, "file", cache.put(data), len(data)) for name, data in files.items()]
    return str(cache.put(write_tree(entries)))


@pytest.fixture
def loop(loop_once: Loop, repo: Path) -> Loop:
    """The loop twice around, in the repository of this test."""
    shutil.copytree(loop_once.root, repo, symlinks=True, dirs_exist_ok=True)
    return Loop(repo, dict(loop_once.told), loop_once.at)


@pytest.fixture(scope="session")
def loop_once(empty_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """What `loop` copies."""
    repo = tmp_path_factory.mktemp("loop") / "repo"
    shutil.copytree(empty_repository, repo)
    made = Loop(repo)
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "src").mkdir()
    (repo / ".gitignore").write_text(".mlops/\n")
    registry, decision = Registry(Git(repo)), None
    for number, mark in ((1, "january"), (2, "february")):
        (repo / "src/fit.py").write_text(SOURCES[number - 1])
        Git(repo).run("add", "-A")
        Git(repo).run("commit", "-qm", mark)
        code = Code(Git(repo).head().commit)
        common = {"run": f"2013020{number}T0-abc", "code": code}
        common["parents"] = [decision] if decision else []
        weather, rows = {"data/weather": d("weather")}, {"data/flights": d(mark)}
        held = dataset(repo, ["1", "2"] if number == 1 else ["2", "3"], "UA")
        made.ran(f"feature{number}", "feature.carrier", "feature", weather,
                 {"out/features/carrier": d("values")}, **common)  # fmt: skip
        made.ran(f"dataset{number}", "dataset.delay", "dataset",
                 rows | {"out/features/carrier": d("values")}, {"out/delay/dataset": held},
                 **common)  # fmt: skip
        trained = made.ran(
            f"train{number}", "train.delay", "train", {"out/delay/dataset": held},
            {"out/delay/model": d(f"folder{number}")},
            sources={"src/fit.py": digest_of(SOURCES[number - 1].encode(), "src/fit.py")},
            params={"train.lr": 0.1 * number, "train.seed": 7},
            environment={"python": "3.11.7", "packages": {"torch": f"2.{number}", "numpy": "2"}},
            **common,
        )  # fmt: skip
        judged = made.ran(f"evaluate{number}", "evaluate.delay", "evaluate",
                          {"out/delay/model": d(f"folder{number}")},
                          {"out/delay/evaluation": d(f"scores{number}")},
                          metrics={"roc_auc": 0.7 + number / 100}, **common)  # fmt: skip
        model = d(f"onnx{number}")
        payload = {"digest": model, "bundle": d(f"bundle{number}"), "run": trained}
        when = made.at.isoformat()
        registry.create("delay", {**payload, "format": "onnx", "created": when,
                                  "metrics": {"roc_auc": 0.7 + number / 100}})  # fmt: skip
        made.tell(f"v{number}", "register", model="delay", version=number, evaluated=judged,
                  **payload)  # fmt: skip
        registry.move("delay", "production", number, policy={}, evidence={}, actor="Ada",
                      reason="better", time=made.at)  # fmt: skip
        named = {"model": "delay", "version": number, "digest": model}
        made.tell(f"promoted{number}", "promotion", alias="production", event=number, **named)
        made.tell(f"deployed{number}", "deployment", environment="prod", action="deploy",
                  challengers=[], **named)  # fmt: skip
        kept = open_cache(repo / ".mlops/cache").put(
            segment(model, number, [f"trip-{number}", f"other-{number}"])
        )
        made.at = BEGIN + timedelta(days=number)
        made.tell(f"predictions{number}", "predictions", deployment="prod", segment=kept, rows=2,
                  start="2013-02-02T09:00:00.000Z", end="2013-02-02T09:00:00.000Z",
                  models=[model])  # fmt: skip
        check = made.tell(f"check{number}", "check", monitor="prod", environment="prod", window={},
                          models=[model], predictions=[kept], verdict="retrain",
                          bundle=d(f"bundle{number}"))  # fmt: skip
        decision = made.tell(f"decision{number}", "decision", monitor="prod", check=check,
                             action="retrain", because=["performance dropped"])  # fmt: skip
    made.flush()
    return made
