"""A page of ours: nothing foreign runs in it, nothing is asked of anybody."""

from __future__ import annotations

import re

from mlops_cli.cli.render.page import Html, esc, page, table, tag

HOSTILE = "</td><script>alert(1)</script>\"'&\x1b[31m\u202e\ud800"


def test_words_are_escaped_wherever_they_stand() -> None:
    made = page(HOSTILE, tag("p", HOSTILE), table((HOSTILE,), [(HOSTILE,)]), script="1")
    assert made.count("<script") == 1 and "alert(1)&lt;/script&gt;" in made
    for hidden in ("\x1b", "\u202e", "\ud800"):
        assert hidden not in made
    made.encode()


def test_only_our_own_script_may_run() -> None:
    without, with_one = page("a"), page("a", script="let x=1")
    assert "script-src" not in without and "default-src 'none'" in without
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", with_one)


def test_what_is_markup_already_stays_as_it_is() -> None:
    assert esc(Html("<b>")) == "<b>" and esc("<b>") == "&lt;b&gt;" and esc(None) == ""
    assert table(("n",), [(1,), (None,)], "r").count('class="r"') == 3
