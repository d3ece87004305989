"""Every answer a client has read is in the log: after a seal, a swap, a stop, a kill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pyarrow as pa
import pytest
import serving_world
from serving_world import ROW, World, deployment, expected, rows

from mlops_cli.pipeline.model.serving import Challenger, Log
from mlops_cli.serving import client, deploy, predlog
from mlops_cli.serving.core import Core, Request, handle
from mlops_cli.serving.logbatch import Policy
from mlops_cli.serving.logwriter import LogWriter
from mlops_cli.serving.metrics import Counters
from mlops_cli.serving.predlog import read_stream
from mlops_cli.serving.router import Router, Variant


def ask(url: str, count: int, prefix: str, **more: object) -> list[float]:
    found = []
    for n in range(count):
        body = {"rows": [ROW], "request_id": f"{prefix}{n}", **more}
        found += client.demand(url, "/predict", body)["predictions"]
    return found


def test_a_seal_holds_exactly_what_was_answered_before_it(world: World) -> None:
    world.promote(world.register(0.0))
    url = deploy.apply(world.parts, "prod", deployment()).running.url
    assert url is not None
    scores = ask(url, 30, "a", time="2013-01-31T10:05:00Z")
    (segment,) = predlog.seal(world.parts, "prod")
    ask(url, 5, "b")
    (later,) = predlog.seal(world.parts, "prod")
    assert predlog.seal(world.parts, "prod") == []
    assert (segment.rows, later.rows) == (30, 5)
    assert segment.start == segment.end == "2013-01-31T10:05:00.000Z"
    assert segment.models == (str(world.registry.resolve("delay@v1").digest),)
    table = predlog.read(world.cache, [segment.digest])
    assert table["request_id"].to_pylist() == [f"a{n}" for n in range(30)]
    assert table["score"].to_pylist() == pytest.approx(scores, abs=1e-7)
    assert set(table["variant"].to_pylist()) == {"champion"}
    assert predlog.inputs(table).slice(0, 1).to_pylist() == [ROW]
    recorded = {record["segment"]: record["rows"] for record in world.records("predictions")}
    assert recorded == {segment.digest: 30, later.digest: 5}


def test_a_kill_loses_no_whole_batch_and_the_seal_takes_over_what_is_left(world: World) -> None:
    world.promote(world.register(0.0))
    running = deploy.apply(world.parts, "prod", deployment()).running
    assert running.url is not None
    assert running.answer is not None
    ask(running.url, 20, "a")
    folder = predlog.folder(world.root, "prod") / "open"
    written = 0
    while not written:  # until the writer has a batch on the disk
        tables = [read_stream(path.read_bytes())[0] for path in folder.glob("*.arrows")]
        written = sum(table.num_rows for table in tables if table is not None)
    os.kill(int(running.answer["pid"]), signal.SIGKILL)
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    segments = predlog.seal(world.parts, "prod")
    assert written <= sum(segment.rows for segment in segments) <= 20
    assert not list(folder.glob("*"))


def test_a_stop_writes_the_rest(world: World) -> None:
    world.promote(world.register(0.0))
    running = deploy.apply(world.parts, "prod", deployment()).running
    assert running.url is not None
    ask(running.url, 7, "a")
    assert deploy.stop(world.parts, "prod")
    assert [segment.rows for segment in predlog.seal(world.parts, "prod")] == [7]


def test_shadows_answer_nobody_and_are_logged_beside_the_champion(world: World) -> None:
    world.promote(world.register(0.0))
    world.promote(world.register(1.0), "staging")
    shadowed = deployment(challengers=(Challenger("delay@staging", "shadow"),))
    url = deploy.apply(world.parts, "prod", shadowed).running.url
    assert url is not None
    answer = client.demand(url, "/predict", {"rows": [ROW], "request_id": "x"})
    assert answer["version"] == 1
    (segment,) = predlog.seal(world.parts, "prod")
    table = predlog.read(world.cache, [segment.digest])
    said = {(r["variant"], r["version"]): r["score"] for r in table.to_pylist()}
    one = pa.Table.from_pylist([ROW])
    assert said == {
        ("champion", 1): float(expected(one)[0]),
        ("shadow", 2): float(expected(one, bias=1.0)[0]),
    }
    assert table["request_id"].to_pylist() == ["x", "x"]
    assert len(segment.models) == 2


def test_canaries_get_their_share_and_the_same_key_always_the_same_variant(world: World) -> None:
    world.promote(world.register(0.0))
    world.promote(world.register(1.0), "staging")
    split = deployment(challengers=(Challenger("delay@staging", "canary", 0.3),))
    url = deploy.apply(world.parts, "prod", split).running.url
    assert url is not None
    seen: dict[str, set[int]] = {}
    for n in range(600):
        body = {"rows": [ROW], "route": f"user{n % 300}"}
        version = client.demand(url, "/predict", body)["version"]
        seen.setdefault(body["route"], set()).add(version)
    assert all(len(versions) == 1 for versions in seen.values())
    share = sum(versions == {2} for versions in seen.values()) / len(seen)
    assert 0.2 < share < 0.4


def test_personal_values_are_hashed_or_dropped_and_a_sample_is_kept(world: World) -> None:
    world.promote(world.register(0.0))
    log = Log(sample=0.5, pii={"carrier": "hash", "distance": "drop"})
    url = deploy.apply(world.parts, "prod", deployment(log=log)).running.url
    assert url is not None
    ask(url, 100, "a")
    (segment,) = predlog.seal(world.parts, "prod")
    table = predlog.read(world.cache, [segment.digest])
    assert 30 <= table.num_rows <= 70
    assert "input.distance" not in table.column_names
    (hashed,) = set(table["input.carrier"].to_pylist())
    assert hashed != "UA"
    assert len(hashed) == 32


class Bench:
    """A core and its log writer in this process."""

    def __init__(self, folder: Path, policy: Policy | None = None) -> None:
        self.folder = folder / "log"
        counters = Counters()
        self.writer = LogWriter(self.folder, counters, writer="1--", policy=policy)
        champion = Variant("champion", serving_world.load(folder / "bundle"))
        self.core = Core(
            counters,
            self.writer.put,
            new_id=lambda: "id",
            now=lambda: 0,
            router=Router("prod", "g", "", champion),
        )

    def predict(self, table: pa.Table) -> None:
        body = json.dumps({"rows": table.to_pylist()}).encode()
        answer = handle(self.core, Request("POST", "/predict", lambda name: None, body))
        assert answer.status == 200


def test_a_torn_tail_costs_only_the_last_batch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    try:
        bench.predict(rows(10))
        assert bench.writer.rotate()
        (path,) = (bench.folder / "sealed").glob("*.arrows")
        whole = path.read_bytes()
    finally:
        bench.writer.close()
    table, torn = read_stream(whole)
    assert (table.num_rows, torn) == (10, False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for n in range(5):
            writer.write_table(table.slice(2 * n, 2))
    data = sink.getvalue().to_pybytes()
    counts = []
    for end in range(0, len(data), 7):
        found, _ = read_stream(data[:end])
        counts.append(0 if found is None else found.num_rows)
    assert counts == sorted(counts)
    assert set(counts) == {0, 2, 4, 6, 8, 10}


def test_missing_values_are_null_in_the_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    table = rows(40)
    try:
        bench.predict(table)
    finally:
        bench.writer.close()
    (path,) = (bench.folder / "sealed").glob("*.arrows")
    logged, _ = read_stream(path.read_bytes())
    assert predlog.inputs(logged).to_pylist() == table.to_pylist()
