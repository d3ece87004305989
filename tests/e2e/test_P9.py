"""P9, feedback loops: a breach becomes a durable decision that is carried out once, and an event
for the role that has to look."""

from __future__ import annotations

from typing import Any


def test_a_breach_leads_to_one_retraining_and_to_no_second(demo: Any) -> None:
    lineage = demo.mlops("lineage", "delay@v1")
    kinds = {node["id"]: node["kind"] for node in lineage["nodes"]}
    decisions = [n for n in lineage["nodes"] if n["kind"] == "decision"]
    asked = {n["id"] for n in decisions if n["facts"].get("action") == "retrain"}
    assert asked
    for decision in asked:
        caused = [e["to"] for e in lineage["edges"] if e["from"] == decision]
        assert caused and {kinds[node] for node in caused} == {"run"}
        runs = {demo.mlops("runs", "show", node)["record"]["run"] for node in caused[:1]}
        assert len(runs) == 1
    others = [n["id"] for n in decisions if n["id"] not in asked]
    assert not [e for e in lineage["edges"] if e["from"] in others and kinds[e["to"]] == "run"]


def test_the_chain_from_check_to_decision_to_run_is_by_digest(demo: Any) -> None:
    (retrain, *_) = demo.mlops("runs", "search", "action = retrain", "--kind", "decision")[
        "records"
    ]
    check = demo.mlops("runs", "show", retrain["check"])["record"]
    assert check["verdict"] == "retrain"
    assert retrain["because"]


def test_a_tick_consumes_a_decision_exactly_once(project: Any) -> None:
    quiet = {one["trigger"]: one["because"] for one in project.here("tick", "--dry-run")["quiet"]}
    assert "was carried out" in quiet["drift"], "the demo did so"
    months = project.here("monitor", "report")["checks"]
    window = next(one["window"] for one in months if one["action"] == "retrain")
    span = ("--start", window["start"], "--end", window["end"], "--at", "2014-06-01T00:00:00Z")
    decided = project.here("monitor", "check", *span, code=None)
    assert decided["decision"]["action"] == "retrain"
    # what is consumed is the decision; a whole retraining is what test_S20 does
    project.edit("pipeline.yaml", "run: retrain.delay", "run: data.weather")
    project.edit("pipeline.yaml", "min_rows: 20000", "min_rows: 99999999")
    project.commit("Cheap")

    (due,) = project.here("tick", "--check")["windows"]
    assert due["trigger"] == "drift" and due["now"]
    (ran,) = project.mlops("tick")["ran"]
    assert (ran["trigger"], ran["outcome"]) == ("drift", "done")
    record = project.here("runs", "show", ran["record"])["record"]
    assert decided["decided"] in record["parents"]
    assert project.here("tick", "--check", code=1)["windows"] == []


def test_drift_is_an_event_of_the_data_scientists_until_it_is_closed(project: Any) -> None:
    found = project.here("events", "list", "--for", "science")["events"]
    (event,) = [each for each in found if each["about"] == "monitor.prod:drift"]
    assert event["owner"] == "data-science"
    assert event["times"] > 1 and "has shifted" in event["what"]
    opened = project.here("runs", "show", event["record"])["record"]
    assert opened["kind"] == "check" and opened["time"] == event["opened"]
    project.here("events", "close", event["id"][:12], "--reason", "summer, as every year")
    assert project.here("events", "list")["open"] == len(found) - 1
    closed = project.here("events", "list", "--all", "--for", "monitor.prod:drift")["events"]
    assert closed[-1]["closed"]["reason"] == "summer, as every year"
