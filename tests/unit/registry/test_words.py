"""What people wrote about a model is read for its licence, its use and its limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlops_cli.registry.words import parse

CARD = Path(__file__).parents[3] / "templates/flights/models/delay.md"


def test_the_card_of_the_template_says_use_limits_and_whom_it_may_harm() -> None:
    words = parse(CARD.read_text())
    assert words.said("licence", "license") == "Apache-2.0" and words.wrong is None
    assert words.uses is not None and words.uses.startswith("Telling passengers")
    assert words.limits is not None and words.limits.startswith("Other airports")
    assert words.fairness is not None and "few flights" in words.fairness


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Intended use", "uses"),
        ("Uses", "uses"),
        ("How to use it", "uses"),
        ("Out-of-scope use", "limits"),
        ("Limitations", "limits"),
        ("Bias, risks and limitations", "fairness"),
        ("Ethical considerations", "fairness"),
    ],
)
def test_usual_headings_are_understood(heading: str, kind: str) -> None:
    words = parse(f"# a\n\nFoo.\n\n## {heading}\n\nBar.\n\n## Data\n\nBaz.\n")
    assert getattr(words, kind) == "Bar."
    assert parse(f"# a\n\n## {heading}\n").said("owner") is None


def test_words_that_cost_the_square_of_themselves_cost_little() -> None:
    started = time.process_time()
    assert parse("---\n" + "[" * 60_000 + "\n---\na").wrong
    assert parse("---\n" + "- " * 30_000 + "\n---\na").wrong
    assert parse("# " + "# " * 100_000 + "x\n").uses is None
    assert time.process_time() - started < 2


def test_no_words_are_none() -> None:
    empty = parse("")
    assert (empty.uses, empty.limits, empty.fairness, dict(empty.head)) == (None, None, None, {})
