"""The reference pages are written from the code, and are what the code says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = ("commands.md", "exit-codes.md", "configuration.md")


@pytest.fixture(scope="module")
def stale() -> str:
    done = subprocess.run(
        [sys.executable, "docs/reference/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_page_is_current(stale, page):
    assert f"stale docs/reference/{page}" not in stale, "run python docs/reference/generate.py"


def test_every_error_code_is_one_word_with_dashes():
    text = (ROOT / "docs/reference/exit-codes.md").read_text()
    codes = text.partition("## Error codes")[2].split("`")[1::2]
    codes.remove("error.code")
    codes.remove("--json")
    assert codes
    assert [
        code for code in codes if not code.replace("-", "").isalnum() or code != code.lower()
    ] == []
