"""P9, feedback loops: a breach becomes a durable decision that is carried out once.

Missing: events routed to owners (`mlops events`, `mlops feedback`) and their acknowledgement.
"""

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
