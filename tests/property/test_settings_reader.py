"""The quick reader of settings files never reads anything else than yaml would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli import config
from mlops_cli.cli import settings_file

INDENT = st.sampled_from(["", "  ", "    ", "   "])
WORD = st.text(alphabet="ab01-_", min_size=1, max_size=3)
VALUE = st.one_of(
    st.just(""),
    st.text(alphabet="ab1 :#'\"-,.~/{}[]&*!|>%@`=\\\t", max_size=8),
    st.sampled_from(["null", "~", "true", "- a", "a: b", "'a'", '"b c"', "a #b", "?", "<<"]),
)
LINE = st.one_of(
    st.builds("{}{}: {}".format, INDENT, WORD, VALUE),
    st.builds("{}{}:{}".format, INDENT, WORD, VALUE),
    st.sampled_from(["", "# note", "  # note", "---", "...", "- a"]),
)


@given(st.lists(LINE, max_size=6).map("\n".join))
@settings(max_examples=400, deadline=None)
def test_what_the_quick_reader_reads_yaml_reads_the_same(text):
    quick = config._plain_entries(text)
    if quick is not None:
        assert quick == list(config._yaml_entries(text, "f"))


@given(st.text(alphabet="ab1 :#'\"-,.~/{}\\\tüé%", min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_every_value_comes_back_as_it_was_written(value):
    text = settings_file.edit("run:\n  jobs: 2  # two\n", "cache.dir", value, source="f")
    assert text.startswith("run:\n  jobs: 2  # two\n")
    assert ("cache.dir", value) in [entry[:2] for entry in config.entries(text, source="f")]
