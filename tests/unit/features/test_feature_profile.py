"""Profiles: numbers about tables that add up."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.errors import ConfigError
from mlops_cli.features import profile as profiles

INSTANT = pa.timestamp("us", tz="UTC")


def test_a_profile_counts_every_row_once() -> None:
    table = pa.table(
        {
            "x": [1.0, 2.0, 2.0, None, float("nan"), float("inf")],
            "word": ["a", "b", "a", None, "c", "a"],
            "flag": [True, False, None, True, True, True],
            "at": pa.array([datetime(2013, 1, 1, tzinfo=UTC), *[None] * 5], INSTANT),
            "list": [[1]] * 6,
        }
    )
    columns = profiles.profile(table)["columns"]
    assert columns["x"]["edges"] == [1.0, 2.0]
    assert columns["x"]["counts"] == [0, 1, 2]
    assert columns["x"]["nulls"] == 3  # NaN and infinities are no numbers to learn from
    assert (columns["word"]["values"], columns["word"]["counts"]) == (["a", "b", "c"], [3, 1, 1])
    assert columns["flag"]["values"] == ["false", "true"]
    assert columns["flag"]["counts"] == [1, 4]
    assert columns["at"]["max"] == "2013-01-01T00:00:00Z"
    assert columns["list"] == {"kind": "other", "rows": 6, "nulls": 0}
    assert all(sum(profiles.bins(column)) == 6 for column in columns.values())
    json.dumps(columns, allow_nan=False)


def test_many_values_fall_into_256_bins_of_about_equal_weight() -> None:
    column = profiles.profile(pa.table({"x": [math.sin(i) for i in range(10_000)]}))["columns"]["x"]
    assert len(column["edges"]) == 256
    assert column["counts"][0] == 0
    assert max(column["counts"][1:]) - min(column["counts"][1:]) <= 2


def test_a_later_table_is_counted_on_the_bins_of_the_first() -> None:
    base = profiles.profile(pa.table({"x": [1, 2, 3], "word": ["a", "a", "b"], "gone": [1, 2, 3]}))
    later = pa.table({"word": ["b", "new", None], "x": [0.5, 2.5, 9.0], "extra": [1, 1, 1]})
    columns = profiles.profile(later, base=base)["columns"]
    assert columns["x"]["counts"] == [1, 0, 1, 1]
    assert columns["word"]["counts"] == [0, 1] and columns["word"]["other"] == 1
    assert columns["gone"]["nulls"] == 3
    assert "extra" not in columns


def test_more_categories_than_bins_end_up_as_other() -> None:
    words = [f"w{number:04}" for number in range(300)] + ["w0299"]
    column = profiles.profile(pa.table({"word": words}))["columns"]["word"]
    assert column["values"][0] == "w0299" and len(column["values"]) == 256
    assert column["other"] == 44 + 1 - 1


def test_profiles_of_different_bases_do_not_merge() -> None:
    one = profiles.profile(pa.table({"x": [1, 2]}))
    for other in (pa.table({"x": [1, 3]}), pa.table({"x": ["a"]}), pa.table({"y": [1]})):
        with pytest.raises(ConfigError) as caught:
            profiles.merge(one, profiles.profile(other))
        assert caught.value.code == "profiles-differ"
    with pytest.raises(ConfigError):
        profiles.profile(pa.table({"x": ["word"]}), base=one)


NUMBERS = st.lists(st.none() | st.floats(-1e3, 1e3) | st.just(math.nan), max_size=40)
WORDS = st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, WORDS, WORDS)
def test_parts_merged_are_the_whole_profiled(
    first: list[float], one: list[float], two: list[float], left: list[str], right: list[str]
) -> None:
    def table(numbers: list[float], words: list[str]) -> pa.Table:
        rows = max(len(numbers), len(words))
        x = pa.array([*numbers, *[None] * (rows - len(numbers))], pa.float64(), from_pandas=False)
        word = pa.array([*words, *[None] * (rows - len(words))], pa.string())
        return pa.table({"x": x, "word": word})

    base = profiles.profile(table(first, ["a"]))
    parts = [table(one, left), table(two, right)]
    merged = profiles.merge(*(profiles.profile(part, base=base) for part in parts))
    whole = profiles.profile(pa.concat_tables(parts), base=base)
    for name in ("mean", "m2", "std"):
        a, b = merged["columns"]["x"].pop(name), whole["columns"]["x"].pop(name)
        assert (a is None and b is None) or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)
    assert merged == whole
