"""docs/formats/mlflow.md says how a run of MLflow stands in the ledger."""

from __future__ import annotations

import re
from pathlib import Path

from mlops_cli.encode import parse_json
from mlops_cli.integrations.mlflow import told
from mlops_cli.integrations.mlflow.heads import experiment_id
from mlops_cli.integrations.mlflow.told import Origin
from mlops_cli.ledger.record import Record
from mlops_cli.store.digest import Digest

PAGE = (Path(__file__).parents[2] / "docs/formats/mlflow.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_is_read_and_written_byte_for_byte() -> None:
    series = PAGE.split("```\n")[1].encode()
    record = Record("run", parse_json(PAGE.split("```json\n")[1].split("```")[0], source="page"))
    assert f"The series `{Digest.of(series)}`" in PAGE
    assert record["series"] == Digest.of(series)
    assert f"`{record.digest}`, {len(record.data)} bytes" in PAGE

    run = told.thing_of(record, lambda _: series, points=True)
    again = told.run_record(
        run,
        Origin(record["actor"]),
        experiment=record["step"],
        keep=lambda data: str(Digest.of(data)),
    )

    assert again.data == record.data
    assert run.params == {"lr": "0.1", "note": "0.10"}
    assert [str(point.value) for point in run.points] == ["0.5", "inf"]


def test_the_id_of_an_experiment_is_made_as_the_page_says() -> None:
    found = re.search(r'"experiment": "(\d+)"', PAGE)
    assert found is not None
    assert experiment_id("flights", ()) == found[1]
    assert experiment_id("Default", ()) == "0"
