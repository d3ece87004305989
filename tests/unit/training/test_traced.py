"""What a rule asks of ledger, bundle and dataset: looked up as of the moment of the decision."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import record
from mlops_cli.registry.protected import branch
from mlops_cli.registry.registry import Registry
from mlops_cli.store.cache import open_cache
from mlops_cli.store.tree import Entry, write_tree
from mlops_cli.training import traced
from mlops_cli.training.action import Work
from mlops_cli.training.case import Case
from mlops_cli.vcs.repo import Git

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class World:
    """storm@v1 with a bundle and a dataset, and a ledger that tests write to."""

    def __init__(self, root: Path) -> None:
        git = Git(root)
        self.cache = open_cache(root / ".mlops/cache")
        self.work = Work(root, git, self.cache, open_ledger(git), Registry(git))
        self.rows = pa.table({"wind": [1.0, 2.0, 3.0, 4.0], "late": [0, 1, 1, 1]})

    def folder(self, **files: bytes) -> Any:
        """Store a folder; `a__json` is called a.json."""
        entries = []
        for name, data in sorted(files.items()):
            entries.append(Entry(name.replace("__", "."), "file", self.cache.put(data), len(data)))
        return self.cache.put(write_tree(entries))

    def case(self, *, facts: Any = None, steps: Any = (), at: datetime = NOW, **more: Any) -> Case:
        """Return the case of storm@v1, whose dataset.json and provenance say this."""
        told = {"label": "late", **(facts or {})}
        sink = io.BytesIO()
        pq.write_table(self.rows, sink)
        dataset = self.folder(
            dataset__json=json.dumps(told).encode(), test__parquet=sink.getvalue()
        )
        build = {"internalParameters": {"steps": list(steps)}}
        said = {"predicate": {"buildDefinition": build}}
        bundle = self.folder(provenance__json=json.dumps(said).encode())
        payload = {
            "digest": f"sha256:{1:064x}",
            "bundle": bundle,
            "format": "onnx",
            "dataset": dataset,
            "created": NOW.isoformat(),
            "actor": "Ada <ada@example.org>",
            **more,
        }
        version = self.work.registry.create("storm", payload)
        pipeline = cast(Any, SimpleNamespace(models={}))
        return Case(self.work, pipeline, version, "production", branch(self.work.git, None), at)

    def told(self, kind: str, time: datetime, **fields: Any) -> None:
        self.work.ledger.append(record(kind, time=time, actor="Ada", **fields))


@pytest.fixture
def world(repo: Path, git: Any) -> World:
    git("commit", "-q", "--allow-empty", "-m", "start")
    return World(repo)


def checked(world: World, day: int, severity: str, **more: Any) -> None:
    at = datetime(2026, 2, day, tzinfo=UTC)
    told: dict[str, Any] = {
        "monitor": "prod",
        "environment": "prod",
        "window": {},
        "models": [],
        "predictions": [],
        "verdict": "quiet",
        "at": at.isoformat(),
        "families": {"drift": {"severity": severity}},
    }
    world.told("check", at, **{**told, **more})


def test_drift_is_that_of_the_last_check_that_saw_enough_before_the_moment(world: World) -> None:
    case = world.case()
    assert traced.drift(case, "prod")["severity"] is None
    checked(world, 1, "important")
    checked(world, 10, "ok")
    checked(world, 12, "warning", verdict="not-enough-data")
    checked(world, 14, "important", monitor="other")
    found = traced.drift(case, "prod")
    assert (found["severity"], found["at"][:10]) == ("ok", "2026-02-10")
    then = world.case(at=datetime(2026, 2, 5, tzinfo=UTC))
    assert traced.drift(then, "prod")["severity"] == "important", "as it was known then"


def test_the_age_of_data_is_that_of_its_newest_row_anywhere(world: World) -> None:
    facts = {
        "source": {"start": "2026-01-01T00:00:00", "end": "2026-02-01T00:00:00"},
        "split": {"by": "time", "test": {"end": "2026-01-20T00:00:00Z", "rows": 4}},
    }
    found = traced.age(world.case(facts=facts))
    assert found is not None and found["newest"] == "2026-02-01T00:00:00+00:00"
    undated = traced.age(world.case(facts={"split": {}}, digest=f"sha256:{2:064x}"))
    assert undated is not None and undated["newest"] is None


def test_uses_of_test_rows_are_distinct_challengers_up_to_the_moment(world: World) -> None:
    case = world.case()
    rows = str(case.scored.digest)

    def decided(challenger: int, day: int, on: str = rows) -> None:
        named = {"version": None, "digest": f"sha256:{challenger:064x}"}
        time = datetime(2026, 2, day, tzinfo=UTC)
        fields = {"challenger": named, "metric": "roc_auc", "result": {}, "verdict": "keep"}
        world.told("evaluation", time, rows=on, **fields)

    assert traced.uses(case) == {"rows": rows, "n": 4, "uses": 1}
    decided(7, 2)
    decided(7, 3)
    decided(8, 20)
    decided(9, 4, on=f"sha256:{5:064x}")
    decided(1, 4)
    assert traced.uses(case)["uses"] == 3
    assert traced.uses(world.case(at=datetime(2026, 2, 10, tzinfo=UTC)))["uses"] == 2
    assert (case.scored.effective("roc_auc"), case.scored.effective(None)) == (1, 4)


def test_sources_are_those_whose_reports_the_provenance_names(world: World) -> None:
    rules = [{"rule": "min", "passed": True}, {"rule": "max", "passed": False}]
    report = world.cache.put(json.dumps({"rules": rules}).encode())
    steps = [
        {"step": "data.days", "outputs": {"out/data/days.json": str(report)}},
        {"step": "train.storm", "outputs": {"out/storm/model": f"sha256:{3:064x}"}},
    ]
    found = traced.validated(world.case(steps=steps))
    sources = {"days": {"rules": 2, "broken": ["max"], "report": str(report)}}
    assert found == {"sources": sources}


def test_trainers_are_who_registered_and_who_ran_it(world: World) -> None:
    run: dict[str, Any] = {
        "step": "train.storm",
        "step_kind": "train",
        "key": "k",
        "status": "done",
    }
    took: dict[str, Any] = {"started": NOW.isoformat(), "seconds": 1.0, "inputs": {}, "outputs": {}}
    made = record("run", time=NOW, actor="Bob <bob@example.org>", **run, **took)
    world.work.ledger.append(made)
    case = world.case(run=str(made.digest))
    assert traced.trainers(case) == {"ada@example.org", "bob@example.org"}


def test_without_a_list_of_signers_nobody_signed_and_the_branch_holds_its_commit(
    world: World, git: Any
) -> None:
    git("branch", "-M", "main")
    case = world.case()
    assert traced.signed(case) == {"signer": None, "why": "main lists no allowed signers"}
    found = traced.branch(case)
    assert found == {"commit": case.version.commit, "branch": "main", "reachable": True}
    git("commit", "-q", "--allow-empty", "--amend", "-m", "another past")
    assert traced.branch(case)["reachable"] is False
