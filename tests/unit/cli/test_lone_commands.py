"""A command line of one word is called as it stands: it must get what the parser would pass."""

from __future__ import annotations

import functools
import importlib
import inspect

import pytest

from mlops_cli.cli.catalog import COMMANDS
from mlops_cli.cli.group import group
from mlops_cli.cli.lone import lone

LONE = [name for name in COMMANDS if lone([name])]


def test_status_and_run_need_no_parser():
    assert {"status", "run", "push"} <= set(LONE)
    assert lone(["status", "--check"]) is None
    assert lone(["explain"]) is None  # it has to be told which step


@pytest.mark.parametrize("name", LONE)
def test_a_lone_command_gets_what_the_parser_would_pass(name, monkeypatch):
    module = importlib.import_module(COMMANDS[name].module)
    given = {}

    @functools.wraps(module.command)
    def command(**arguments):
        given.update(arguments)

    defaults = {n: p.default for n, p in inspect.signature(module.command).parameters.items()}
    monkeypatch.setattr(module, "command", command)
    program = group()
    with program.make_context("mlops", [name]) as context:
        program.invoke(context)
    assert given == defaults
