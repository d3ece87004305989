"""The worked examples of docs/formats are what the code writes, to the byte."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.features import dataset, instant, materialize, publish, read
from mlops_cli.features.sqlite import SqliteStore
from mlops_cli.pipeline.reading.load import load
from mlops_cli.pipeline.reading.lower import lower
from mlops_cli.pipeline.runner import RunContext

DOCUMENTS = Path(__file__).parents[2] / "docs" / "formats"
KINDS: dict[str, Any] = {"feature": materialize.FeatureStep, "dataset": dataset.DatasetStep}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of docs/formats/feature-view.md, built."""
    root = tmp_path_factory.mktemp("world")
    text = (DOCUMENTS / "feature-view.md").read_text()
    (root / "data").mkdir()
    (root / "data" / "trips.csv").write_text(_block(text, "csv"))
    (root / "pipeline.yaml").write_text(_block(text, "yaml"))
    for step in lower(load(root)):
        if step.kind in KINDS:
            context = RunContext(root, {out: root / out for out in step.outs})
            KINDS[step.kind]().run(step, context)
    return root


def _block(text: str, language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)[0]


@pytest.mark.parametrize(
    ("document", "file"),
    [
        ("feature-view.md", "out/features/history/report.json"),
        ("dataset.md", "out/delay/dataset/dataset.json"),
        ("profile.md", "out/delay/dataset/profile.json"),
    ],
)
def test_the_document_shows_the_file_and_its_digest(world: Path, document: str, file: str) -> None:
    text, data = (DOCUMENTS / document).read_text(), (world / file).read_bytes()
    assert json.loads(_block(text, "json")) == json.loads(data)
    assert f"`sha256:{hashlib.sha256(data).hexdigest()}`" in text


def test_the_tables_in_the_documents_are_the_rows_on_disk(world: Path) -> None:
    for document, folder in (
        ("feature-view.md", "out/features/history"),
        ("dataset.md", "out/delay/dataset"),
    ):
        shown = re.findall(
            r"^(\w+\.parquet)\n\n(\|.*?)\n\n", (DOCUMENTS / document).read_text(), re.M | re.S
        )
        assert shown
        for name, table in shown:
            head, _, *lines = [
                [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
            ]
            rows = read.table(world, f"{folder}/{name}")
            assert rows.column_names == head
            found = [[_cell(row[column]) for column in head] for row in rows.to_pylist()]
            assert found == lines, name


def test_the_online_store_holds_what_its_page_shows(world: Path) -> None:
    text = (DOCUMENTS / "online-store.md").read_text()
    values = read.table(world, "out/features/history/values.parquet")
    spec = load(world).features["history"]
    at = instant.of(datetime(2013, 1, 1, 14, 30, tzinfo=UTC))
    store = SqliteStore(world)
    store.publish(publish.snapshot("history", spec, values, at=at, source="sha256:…"))
    with closing(sqlite3.connect(store.path("history"))) as file:
        (document,) = file.execute("SELECT document FROM about").fetchone()
        rows = file.execute("SELECT * FROM entities").fetchall()
    assert json.loads(document) == json.loads(_block(text, "json"))
    shown = [line for line in text.splitlines() if line.startswith('| ["')]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    assert cells == [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value.strftime("%d %H:%M") if hasattr(value, "strftime") else str(value)
