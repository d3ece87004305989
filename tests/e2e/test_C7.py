"""C7, metadata stores: one graph in git, asked without a server; its index is only a cache.

Export to a server of MLflow is in test_mlflow.py, which has a real one.
"""

from __future__ import annotations

from typing import Any


def test_runs_are_found_by_params_and_metrics(demo: Any) -> None:
    good = demo.mlops("runs", "search", "metrics.roc_auc > 0.6")["records"]
    assert good and all(record["metrics"]["roc_auc"] > 0.6 for record in good)
    assert demo.mlops("runs", "search", "metrics.roc_auc > 0.999")["records"] == []
    trained = demo.mlops("runs", "search", "step = train.delay and seconds > 0")["records"]
    assert len(trained) >= len(good)


def test_every_answer_is_the_same_without_the_index(project: Any) -> None:
    asked = (
        ("runs", "list"),
        ("lineage", "delay@production"),
        ("runs", "search", "metrics.roc_auc > 0.6"),
        ("monitor", "report"),
    )
    before = [project.mlops(*words) for words in asked]
    (project.root / ".mlops/index.sqlite").unlink()
    assert [project.mlops(*words) for words in asked] == before


def test_the_ledger_and_the_registry_are_sound_and_meet_in_one_graph(demo: Any) -> None:
    found = demo.mlops("verify")
    assert found["records"]["checked"] > 30 and found["tags"]["checked"] >= 4
    assert found["clean"], found
    for number in demo.mlops("models", "show", "delay")["versions"]:
        version = demo.mlops("models", "show", f"delay@v{number}")
        record = demo.mlops("runs", "show", version["run"])["record"]
        assert record["kind"] == "run" and record["step"].startswith(("train.", "evaluate."))


def test_other_catalogues_read_it(demo: Any) -> None:
    told = demo.mlops("export", "openlineage")
    assert told["count"] == len(told["events"]) > 100
    for event in told["events"]:
        assert {"eventType", "eventTime", "run", "job", "producer", "schemaURL"} <= set(event)
    names = {each["name"] for event in told["events"] for each in event["outputs"]}
    assert {"out/delay/dataset", "models/delay", "served/prod", "decisions/prod"} <= names
    prov = demo.mlops("export", "prov", "delay@production")["document"]
    assert {"used", "wasGeneratedBy", "wasInformedBy", "wasAssociatedWith"} <= set(prov)
