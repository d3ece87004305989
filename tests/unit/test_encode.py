"""YAML of strangers ends in an error and not in a signal."""

from __future__ import annotations

import pytest

from mlops_cli.encode import check_nesting
from mlops_cli.errors import ConfigError
from mlops_cli.integrations.dvc import text
from mlops_cli.pipeline.words import document


@pytest.mark.parametrize("bomb", ["a: " + "[" * 100_000, "- " * 100_000, "{a: " * 50_000])
def test_a_hundred_thousand_brackets_are_refused(bomb: str) -> None:
    # the composer of libyaml recurses in C, and would end this process
    with pytest.raises(RecursionError):
        check_nesting(bomb)
    for module in (text, document):
        with pytest.raises(ConfigError, match="nests too deeply"):
            module.parse(bomb.encode(), name="dvc.yaml")


def test_a_long_list_of_small_ones_is_not_deep() -> None:
    long = "a:\n" + "- [1, 2]\n" * 2000
    assert check_nesting(long) == long
