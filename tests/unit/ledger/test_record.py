"""A record is its canonical bytes, and its name is their digest."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Code, parse, record, timestamp

WHEN = datetime(2013, 2, 1, 12, 0, 0, 123456, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}


def decision(**more: object):
    fields = {"monitor": "prod", "check": "sha256:" + "0" * 64, "action": "none", "because": []}
    return record("decision", time=WHEN, actor="Ada <ada@example.com>", **{**fields, **more})


def test_the_digest_is_the_sha256_of_canonical_json() -> None:
    made = decision()
    assert made.digest == "sha256:" + hashlib.sha256(made.data).hexdigest()
    assert made.data.startswith(b'{"action":"none","actor":"Ada <ada@example.com>","because":[],')
    assert made.path == f"records/{made.digest.hex[:2]}/{made.digest.hex}.json"
    assert parse(made.data, name=made.digest, source="here") == made


def test_the_same_event_has_the_same_name_whatever_the_order_of_fields() -> None:
    assert decision(a=1, b={"y": 1, "x": 2}).digest == decision(b={"x": 2, "y": 1}, a=1).digest


def test_times_are_utc_and_sort_as_text() -> None:
    berlin = timezone(timedelta(hours=1))
    assert timestamp(datetime(2013, 2, 1, 13, tzinfo=berlin)) == "2013-02-01T12:00:00.000Z"
    assert decision()["time"] == "2013-02-01T12:00:00.123Z"


def test_numbers_that_json_lacks_become_null_and_tuples_lists() -> None:
    import numpy

    made = decision(loss=float("nan"), auc=numpy.float32(0.5), names=("a",), ids={"b", "a"})
    assert made["loss"] is None
    assert made["auc"] == 0.5
    assert made["names"] == ["a"]
    assert made["ids"] == ["a", "b"]


def test_a_record_that_lacks_what_its_kind_needs_is_our_bug() -> None:
    with pytest.raises(ValueError, match="needs step"):
        record("run", time=WHEN, actor="a")
    with pytest.raises(ValueError, match="no kind"):
        record("party", time=WHEN, actor="a")


def test_code_is_recorded_with_what_differed() -> None:
    made = record("feedback", time=WHEN, actor="a", **NOTE, code=Code("abc", ("x.py",)))
    assert made["code"] == {"commit": "abc", "dirty": ["x.py"], "patch": None}


def test_other_bytes_under_a_name_are_named() -> None:
    made = decision()
    with pytest.raises(IntegrityError) as damaged:
        parse(made.data.replace(b"none", b"nope"), name=made.digest, source="refs/x")
    assert damaged.value.code == "damaged-record"
    assert made.digest in damaged.value.message
    assert "refs/x" in damaged.value.message
