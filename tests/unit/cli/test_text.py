"""Plain sentences and aligned tables, coloured only where a terminal reads."""

from __future__ import annotations

import pytest

from mlops_cli.cli.render import text


def test_a_table_is_aligned_and_has_no_trailing_spaces():
    rows = [("flights", 12, None), ("weather at origin", 3400, "stale")]
    assert text.table(rows, ("name", "rows", "state"), "lr") == (
        "name               rows  state\nflights              12  -\nweather at origin  3400  stale"
    )
    assert text.table([], ()) == ""
    assert text.table([("a", "b")], indent="  ") == "  a  b"


def test_colour_codes_take_no_space_in_a_table():
    text.use_color(stdout=True, stderr=False)
    try:
        red = text.style("no", "red")
        assert red == "\x1b[31mno\x1b[0m"
        assert text.style("no", "red", stream="stderr") == "no"
        assert text.table([(red, "x"), ("yes", "y")]).splitlines() == [f"{red}   x", "yes  y"]
    finally:
        text.use_color(stdout=False, stderr=False)
    assert text.style("no", "red") == "no"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes_are_for_people(count, shown):
    assert text.size(count) == shown


def test_counts_digests_and_near_words():
    assert text.count(1, "file") == "1 file"
    assert text.count(20_000, "file") == "20,000 files"
    assert text.count(2, "entry", "entries") == "2 entries"
    assert text.short("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
    assert text.nearest("statsu", ["status", "run"]) == "status"
    assert text.nearest("x", ["status", "run"]) is None
