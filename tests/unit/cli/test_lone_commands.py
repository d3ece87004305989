"""A command line without options is called as it stands: it gets what the parser would pass."""

from __future__ import annotations

import functools
import importlib
import inspect

import pytest

from mlops_cli.cli.catalog import COMMANDS
from mlops_cli.cli.group import group
from mlops_cli.cli.lone import lone

LONE = [[name] for name in COMMANDS if lone([name])]
WORDS = [[name, "a", "@v1"] for name in COMMANDS if lone([name, "a", "@v1"])]


def test_status_and_run_need_no_parser():
    assert {"status", "run", "push"} <= {name for (name,) in LONE}
    assert lone(["status", "--check"]) is None
    assert lone(["explain"]) is None  # it has to be told which step


def test_words_that_are_all_paths_need_no_parser():
    assert {"add", "checkout", "push", "pull", "run"} <= {name for name, *_ in WORDS}
    assert lone(["add"]) is None  # it has to be told what
    assert lone(["add", "data", "--dry-run"]) is None
    assert lone(["add", "--", "-data"]) is None
    assert lone(["status", "data"]) is None  # it takes no words, and the parser says so
    assert lone(["explain", "train"]) is None  # its word is no list


@pytest.mark.parametrize("words", [*LONE, *WORDS], ids=" ".join)
def test_a_lone_command_gets_what_the_parser_would_pass(words, monkeypatch):
    name, *rest = words
    module = importlib.import_module(COMMANDS[name].module)
    given = {}

    @functools.wraps(module.command)
    def command(**arguments):
        given.update(arguments)

    parameters = inspect.signature(module.command).parameters
    expected = {name: one.default for name, one in parameters.items()}
    if rest:
        expected[next(iter(parameters))] = rest
    monkeypatch.setattr(module, "command", command)
    program = group()
    with program.make_context("mlops", list(words)) as context:
        program.invoke(context)
    assert given == expected
