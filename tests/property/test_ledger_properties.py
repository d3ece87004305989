"""Whatever is recorded, its name is the digest of its bytes; whatever is written, it is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mlops_cli.errors import UsageError
from mlops_cli.ledger import spool
from mlops_cli.ledger.condition import MISSING, look_up
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.links import edges
from mlops_cli.ledger.record import KINDS, plain, record, timestamp
from mlops_cli.ledger.record import parse as parse_record

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}

text = some.text(some.characters(exclude_categories=["Cs"]), max_size=20)
leaves = some.none() | some.booleans() | some.integers() | some.floats() | text
values = some.recursive(
    leaves,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(text, inner, max_size=4),
    max_leaves=15,
)


@given(values)
@settings(deadline=None)
def test_a_record_of_anything_is_read_back_under_its_name(value: Any) -> None:
    made = record("feedback", time=WHEN, actor="Ada", **NOTE, value=value)
    read = parse_record(made.data, name=made.digest, source="here")
    assert read.body == made.body
    assert read.digest == made.digest
    assert plain(plain(value)) == plain(value)
    assert b"\n" not in made.data


@given(some.dictionaries(text, values, max_size=5), some.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_fields_does_not_matter(fields: dict[str, Any], chance: Any) -> None:
    names = list(fields)
    chance.shuffle(names)
    one = record("feedback", time=WHEN, actor="a", **NOTE, value=fields)
    two = record(
        "feedback", time=WHEN, actor="a", **NOTE, value={name: fields[name] for name in names}
    )
    assert one.digest == two.digest


@given(
    some.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)),
    some.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)),
    some.integers(-12, 12),
)
@settings(deadline=None)
def test_times_sort_as_their_text(one: datetime, two: datetime, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    earlier, later = sorted([one.replace(tzinfo=UTC), two.replace(tzinfo=zone)])
    assert timestamp(earlier) <= timestamp(later)


@given(kind=some.sampled_from(sorted(KINDS)), data=some.data())
@settings(deadline=None)
def test_edges_of_any_record_are_pairs_of_names(kind: str, data: Any) -> None:
    fields = {name: data.draw(values) for name in KINDS[kind] if name != "run"}
    made = record(kind, time=WHEN, actor="a", **fields)
    found = edges(made)
    assert all(edge.source and edge.target for edge in found)


@given(some.lists(values, max_size=8), some.binary(max_size=60))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
def test_a_spool_gives_back_all_whole_lines_whatever_follows(
    tmp_path_factory: Any, items: list[Any], torn: bytes
) -> None:
    folder = Path(tmp_path_factory.mktemp("spool"))
    made = [record("feedback", time=WHEN, actor="a", **NOTE, value=item) for item in items]
    for each in made:
        spool.write(folder, each)
    files = list(folder.glob("*.jsonl"))
    if files:
        with open(files[0], "ab") as file:
            file.write(torn)
    with spool.take(folder) as taken:
        assert [each.digest for each in taken.records] == [each.digest for each in made]


@given(some.text("ab.=<>!~'\"() not1x", max_size=30) | some.text(max_size=20))
@settings(deadline=None)
def test_any_text_is_a_condition_or_a_usage_error(words: str) -> None:
    try:
        condition = parse(words)
    except UsageError as error:
        assert error.code == "bad-expression"
    else:
        assert condition({"a": 1, "b": {"c": "x"}}) in (True, False)


names = some.text("abc._-/", min_size=1, max_size=8)


@given(names, some.one_of(some.integers(), some.floats(allow_nan=False, allow_infinity=False)))
@settings(deadline=None)
def test_a_number_equals_itself_and_orders_like_numbers(name: str, number: float) -> None:
    facts = {name: number}
    written = json.dumps(number)
    assert parse(f"{name} = {written}")(facts)
    assert parse(f"{name} >= {written}")(facts)
    assert not parse(f"{name} < {written}")(facts)
    assert parse(f"not {name} != {written}")(facts)


@given(some.dictionaries(names, some.dictionaries(names, some.integers()), max_size=4))
@settings(deadline=None)
def test_every_path_of_a_record_can_be_looked_up(facts: dict[str, dict[str, int]]) -> None:
    for outer, inner in facts.items():
        for name in inner:
            assert look_up(facts, f"{outer}.{name}") is not MISSING
