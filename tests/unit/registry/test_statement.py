"""The statement of a run: the same record, the same bytes."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import cast

import pytest
from mangled import mangled

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Code, Record, record
from mlops_cli.registry import statement
from mlops_cli.store.digest import Digest

NOW = datetime(2013, 2, 1, tzinfo=UTC)
DAYS, MODEL, LOCKED = (str(Digest.of(word)) for word in (b"days", b"model", b"locked"))
RUN = record(
    "run",
    time=NOW,
    actor="Ada <ada@example.org>",
    code=Code("a" * 40, patch=DAYS),
    run="20130201T000000-abc123",
    step="train.delay",
    step_kind="train",
    key=LOCKED,
    status="done",
    started="2013-02-01T00:00:00.000Z",
    seconds=1.5,
    inputs={"data/days.parquet": DAYS},
    outputs={"out/model": MODEL},
    params={"train.lr": 0.1},
    environment={"digest": LOCKED},
    log=None,
    series=DAYS,
)


def test_a_statement_names_all_that_went_in_and_came_out() -> None:
    made = statement.of_run(RUN)
    assert made == statement.of_run(RUN)
    read = statement.read(made, source="it")
    assert statement.subjects(read) == {"out/model": MODEL}
    build = read["predicate"]["buildDefinition"]
    assert [each["name"] for each in build["resolvedDependencies"]] == [
        "data/days.parquet",
        "commit",
        "patch",
        "environment",
    ]
    assert build["externalParameters"] == {"step": "train.delay", "params": {"train.lr": 0.1}}
    assert read["predicate"]["runDetails"]["metadata"]["invocationId"] == RUN.digest


def test_what_is_no_statement_is_refused() -> None:
    good = json.loads(statement.of_run(RUN))
    changes: tuple[dict[str, object], ...] = (
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://example.org"},
        {"subject": [{"name": "x"}]},
        {"subject": [{"name": "x", "digest": {"sha256": "short"}}]},
        {"predicate": {}},
        {"predicate": []},
        {"predicate": good["predicate"] | {"buildDefinition": []}},
        *(
            {"predicate": good["predicate"] | {"buildDefinition": build | change}}
            for build in (dict(good["predicate"]["buildDefinition"]),)
            for change in cast(
                tuple[dict[str, object], ...],
                (
                    {"internalParameters": []},
                    {"internalParameters": {"steps": 3}},
                    {"internalParameters": {"steps": [3]}},
                    {"externalParameters": "x"},
                    {"resolvedDependencies": None},
                ),
            )
        ),
        {"subject": [{"digest": {"sha256": "0" * 64}}]},
        {"subject": [{"name": 3, "digest": {"sha256": "0" * 64}}]},
    )
    for change in changes:
        with pytest.raises(IntegrityError):
            statement.read(json.dumps(good | change).encode(), source="it")
    with pytest.raises(IntegrityError):
        statement.read(b"[]", source="it")


def test_a_record_of_nonsense_gives_a_statement_that_says_little() -> None:
    body = dict(RUN.body) | {"inputs": [1], "outputs": {"x": "y"}, "code": 3, "environment": "z"}
    said = statement.read(statement.of_run(Record("run", body)), source="it")
    assert said["subject"] == []
    assert said["predicate"]["buildDefinition"]["resolvedDependencies"] == []


def test_no_damage_ends_in_anything_but_a_refusal() -> None:
    for other, _, _ in mangled(json.loads(statement.of_run(RUN))):
        with contextlib.suppress(IntegrityError):
            said = statement.read(json.dumps(other).encode(), source="it")
            assert set(statement.subjects(said).values()) <= {MODEL}
