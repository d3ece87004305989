"""Tags and records may hold anything: card, bill, audit and report say what can be said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.cli.render import audit, report
from mlops_cli.integrations import cyclonedx, libraries
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Record
from mlops_cli.registry.card import card
from mlops_cli.registry.evidence import of_event, of_record, of_version, subject
from mlops_cli.registry.origin import Origin
from mlops_cli.registry.version import Version
from mlops_cli.registry.words import parse
from mlops_cli.vcs import tagging
from mlops_cli.vcs.repo import Git

LIES: tuple[Any, ...] = (None, 7, -1.5, True, "x\x1b[2J<b>", [1, "a", {}], {"a": [1]}, {"": None})
SOUND: dict[str, Any] = {
    "schema": "mlops.version/1",
    "model": "storm",
    "version": 1,
    "digest": "sha256:" + "a" * 64,
    "created": "2013-02-01T00:00:00.000Z",
}
FIELDS = ("metrics", "inputs", "outputs", "file", "dataset", "judged_on", "run", "bundle",
          "parity", "golden", "dirty", "actor", "format", "card_path", "rules",
          "created", "train")  # fmt: skip


def payloads() -> Iterator[dict[str, Any]]:
    for name in FIELDS:
        for lie in LIES:
            yield SOUND | {name: lie}


def test_whatever_a_payload_says_a_card_and_a_bill_can_be_made() -> None:
    words = parse("---\nlicense: [1]\ntags: {a: 1}\nowner: 7\n---\n# a\n")
    for payload in payloads():
        version = Version("storm", 1, payload, "mlops/storm/v1", "t", "c" * 40)
        markdown = card(version, words)
        assert "## Version 1" in markdown and "\x1b" not in markdown.split("## Version 1")[1]
        json.dumps(cyclonedx.bom(version, words, Origin(), []), allow_nan=False)
        of_version(payload)
        of_event(payload)


@pytest.mark.parametrize(
    "kind", ["run", "check", "decision", "deployment", "evaluation", "predictions", "other"]
)
def test_whatever_a_record_says_it_can_be_told(kind: str) -> None:
    names = ("inputs", "outputs", "environment", "metrics", "window", "families", "challenger",
             "result", "status", "action", "digest", "because", "model", "version")  # fmt: skip
    for name in names:
        for lie in LIES:
            record = Record(kind, {"kind": kind, "time": "x", name: lie})
            told = [each.to_plain() for each in of_record(record)]
            libraries.seen(record["environment"])
            event = {
                "time": "\x1b[2J", "what": kind, "subject": subject(record), "actor": None,
                "digest": "", "commit": None, "version": None, "tag": None, "record": None,
                "reason": None, "evidence": told,
            }  # fmt: skip
            assert "\x1b" not in audit.listing([event])
            assert "\x1b" not in audit.page("x", [event], made="2013-02-01T00:00:00Z")


def test_the_commands_end_well_or_say_what_is_damaged(
    mlops: Any, repo: Path, git: Callable[..., str]
) -> None:
    (repo / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: a, task: binary, kpi: {metric: roc_auc}}\n"
    )
    git("add", ".")
    git("commit", "-q", "-m", "first")
    door = Git(repo)
    when = datetime(2013, 2, 1, tzinfo=UTC)
    some = [SOUND | {name: lie} for name in ("metrics", "created") for lie in LIES[1:]]
    for number, payload in enumerate(some, 1):
        name = f"mlops/storm/v{number}"
        made = tagging.make(door, name, payload | {"version": number}, subject="x", time=when)
        tagging.place(door, name, made)
    body = {"kind": "check", "time": "x", "models": 5, "window": "x", "metrics": [1]}
    open_ledger(door).append(Record("check", body))
    for words in (("audit", "storm"), ("report",), ("report", "-a", "audit"),
                  ("report", "-o", "r.html"), ("models", "card", "storm@v2"),
                  ("export", "bom", "storm@v3")):  # fmt: skip
        result = mlops(*words)
        assert result.code in (0, 40), (words, result)
        assert "\x1b" not in result.stdout
    assert report.asked(None) == "not stated"
