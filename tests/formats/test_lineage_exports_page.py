"""The event on the page is what is written for the record on the page of the ledger."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mlops_cli.integrations.openlineage import Place, events
from mlops_cli.integrations.prov import ACTIVITIES
from mlops_cli.ledger.record import Record

PAGES = Path(__file__).parents[2] / "docs" / "formats"


def example(name: str) -> Any:
    (block,) = re.findall(r"```json\n(.*?)```", (PAGES / name).read_text(), re.S)
    return json.loads(block)


def test_the_event_on_the_page_is_that_of_the_decision_on_the_page_of_the_ledger() -> None:
    decision = Record("decision", example("ledger.md"))
    told = list(events(decision, Place("flight-delays"), lambda _: None))
    assert [event["eventType"] for event in told] == ["START", "COMPLETE"]
    shown = json.dumps(example("lineage-exports.md"))
    version = re.search(r"urn:mlops-cli:([^\"]+)", shown)
    assert version is not None  # of the program that wrote the page
    now = json.dumps(told[1]).replace(told[1]["producer"], f"urn:mlops-cli:{version[1]}")
    assert json.loads(re.sub(r'"(\w*[vV]ersion)": "[\d.]+"', r'"\1": ""', now)) == json.loads(
        re.sub(r'"(\w*[vV]ersion)": "[\d.]+"', r'"\1": ""', shown)
    )


def test_every_kind_of_activity_is_on_the_page() -> None:
    page = (PAGES / "lineage-exports.md").read_text()
    for kind in ACTIVITIES:
        assert kind in page
