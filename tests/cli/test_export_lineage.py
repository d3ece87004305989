"""`mlops export openlineage` and `mlops export prov`: the same story in the words of others."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from looped import Loop, d


@pytest.fixture
def catalogue() -> Iterator[tuple[str, list[Any]]]:
    """An endpoint that takes events from whoever has the key, and what it took."""
    taken: list[Any] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known = self.headers.get("authorization") == "Bearer key"
            status = 201 if known and self.path == "/api/v1/lineage" else 403
            if status == 201:
                taken.append(json.loads(body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", taken
    server.shutdown()
    server.server_close()


def check_event(event: Any) -> None:
    """What spec/OpenLineage.json 2-0-2 asks of a RunEvent and of its facets."""
    assert event["eventType"] in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    for url in (event["producer"], event["schemaURL"]):
        assert urlsplit(url).scheme
    facets = [event["run"]["facets"], event["job"]["facets"]]
    for data in (event["job"], *event["inputs"], *event["outputs"]):
        assert data["namespace"] == "trips" and data["name"]
        facets.append(data["facets"])
    for each in facets:
        for facet in each.values():
            assert urlsplit(facet["_producer"]).scheme and urlsplit(facet["_schemaURL"]).scheme
    for facet in (data["facets"]["version"] for data in (*event["inputs"], *event["outputs"])):
        assert isinstance(facet["datasetVersion"], str)


def test_every_record_is_a_run_that_begins_and_ends(
    mlops: Any, loop: Loop, assert_valid: Any
) -> None:
    loop.ran("broken", "dataset.delay", "dataset", {"data/flights": d("january")}, {},
             status="failed", run="r9", error={"code": "leak", "message": "a leak"})  # fmt: skip
    loop.flush()
    result = mlops("export", "openlineage", "--json", code=0)
    assert_valid(result.json)
    events = [json.loads(line) for line in mlops("export", "openlineage").stdout.splitlines()]
    assert events == result.data["events"] and len(events) == 2 * len(loop.told)
    for event in events:
        check_event(event)
    by_run: dict[str, list[str]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert sorted(set(map(tuple, by_run.values()))) == [("START", "COMPLETE"), ("START", "FAIL")]
    (failed,) = [event for event in events if event["eventType"] == "FAIL"]
    assert failed["run"]["facets"]["errorMessage"]["message"] == "a leak [leak]"
    assert failed["run"]["facets"]["parent"]["job"]["name"] == "mlops run"


def test_jobs_hang_together_by_what_they_read_and_made(mlops: Any, loop: Loop) -> None:
    events = mlops("export", "openlineage", "--json", code=0).data["events"]

    def ends(event: Any, side: str) -> set[tuple[str, str]]:
        return {(data["name"], data["facets"]["version"]["datasetVersion"]) for data in event[side]}

    made: set[tuple[str, str]] = set()
    loose = set()
    for event in (event for event in events if event["eventType"] == "COMPLETE"):
        loose |= {name for name, version in ends(event, "inputs") if (name, version) not in made}
        made |= ends(event, "outputs")
    assert loose == {"data/weather", "data/flights"}
    retrained = [
        event
        for event in events
        if ("decisions/prod", loop.told["decision1"]) in ends(event, "inputs")
    ]
    assert {event["job"]["name"] for event in retrained} >= {"train.delay", "dataset.delay"}


def test_a_part_of_it_into_a_file(mlops: Any, loop: Loop, repo: Path) -> None:
    first = mlops("export", "openlineage", "delay@v1", "-o", "ol.jsonl", "--json", code=0).data
    told = [json.loads(line) for line in (repo / "ol.jsonl").read_text().splitlines()]
    assert first["events"] is None and len(told) == first["count"]
    late = mlops("export", "openlineage", "--since", "2013-02-02", "--namespace", "other", "--json")
    assert 0 < late.data["count"] < 2 * len(loop.told)
    assert {event["job"]["namespace"] for event in late.data["events"]} == {"other"}


def test_by_http_in_order_and_once(mlops: Any, loop: Loop, catalogue: Any) -> None:
    url, taken = catalogue
    words = ("export", "openlineage", "--url", url, "--json")
    dry = mlops(*words, "--dry-run", code=0).data
    assert taken == [] and dry["dry_run"] and dry["url"] == f"{url}/api/v1/lineage"
    refused = mlops(*words, code=50).error
    assert (refused["code"], refused["details"]["sent"]) == ("openlineage-refused", 0)
    key = {"OPENLINEAGE_API_KEY": "key"}
    sent = mlops(*words, env=key, code=0).data
    assert sent["count"] == len(taken) == 2 * len(loop.told)
    mlops(*words, env=key, code=0)
    assert taken[: len(taken) // 2] == taken[len(taken) // 2 :]  # the same ids: told once
    nobody = ("export", "openlineage", "--url", "http://127.0.0.1:9", "--json")
    assert mlops(*nobody, code=50).error["code"] == "openlineage-unreachable"
    for bad in ("ftp://x", "http://user:secret@x", "nothing"):
        failed = mlops("export", "openlineage", "--url", bad, "--json", code=2)
        assert failed.error["code"] == "bad-url"
    both = ("export", "openlineage", "--url", url, "-o", "x", "--json")
    assert mlops(*both, code=2).error["code"] == "bad-options"


def test_prov_has_every_link_and_edge(
    mlops: Any, loop: Loop, repo: Path, assert_valid: Any
) -> None:
    graph = mlops("lineage", "delay@production", "--json", code=0).data
    result = mlops("export", "prov", "delay@production", "--json", code=0)
    assert_valid(result.json)
    document = result.data["document"]
    told = {**document["entity"], **document["activity"], **document["agent"]}
    assert len(document["entity"]) + len(document["activity"]) == len(graph["nodes"])
    relations = ("used", "wasGeneratedBy", "wasInformedBy", "wasDerivedFrom")
    assert sum(len(document[name]) for name in relations) == len(graph["edges"])
    for name in (*relations, "wasAssociatedWith"):
        for edge in document[name].values():
            ends = [
                value
                for key, value in edge.items()
                if key.startswith("prov:") and key != "prov:role"
            ]
            assert len(ends) == 2 and set(ends) <= set(told)
    assert {node["digest"] for node in graph["nodes"]} == {
        each.get("mlops:digest") for each in told.values() if "prov:label" in each
    } - {None}
    mlops("export", "prov", "trip-1", "-o", "p.json", code=0)
    assert json.loads((repo / "p.json").read_text())["prefix"] == {"mlops": "urn:mlops:"}
    assert mlops("export", "prov", "nothing", "--json", code=20).error["code"] == "unknown-thing"


def test_words_of_others_steer_no_terminal(mlops: Any, loop: Loop, assert_valid: Any) -> None:
    error = {"code": "leak", "message": "a \x1b]0;x\x07"}
    loop.ran("evil", "dataset.\x9b31m\u202e", "dataset", {"data/\x1b[2J": d("january")}, {},
             status="failed", run="r9", error=error)  # fmt: skip
    loop.flush()
    said = [mlops("export", "openlineage", *more, code=0).stdout for more in ([], ["--json"])]
    said += [mlops("export", "prov", "data/\x1b[2J", code=0).stdout]
    said += [mlops("lineage", "no\x9b31m", code=20).stderr]
    assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set("".join(said))
    steps = {json.loads(line)["job"]["name"] for line in said[0].splitlines()}
    assert "dataset.\x9b31m\u202e" in steps, "escaped, not changed"
