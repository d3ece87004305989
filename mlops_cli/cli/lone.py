"""A command line without options has nothing to parse: typer (30 ms) is not imported for it."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from mlops_cli.cli.catalog import COMMANDS

_WORDS = re.compile(r"Annotated\[list\[str\]( \| None)?, typer\.Argument\(")


def lone(words: list[str]) -> Callable[[], Any] | None:
    """Return the command to call as it stands, None where the words have to be parsed.

    What typer would pass for absent options are the defaults of the function, because commands
    declare nothing else; see test_a_lone_command_gets_what_the_parser_would_pass.
    """
    if not words or words[0] not in COMMANDS or any(word.startswith("-") for word in words[1:]):
        return None
    sys.modules.setdefault("typer", _Later("typer"))
    module = importlib.import_module(COMMANDS[words[0]].module)
    command = getattr(module, "command", None)
    if hasattr(module, "app") or not isinstance(command, FunctionType):
        return None
    if words[1:]:
        return functools.partial(command, words[1:]) if _takes_words(command) else None
    return command if not _without_default(command) else None


def _takes_words(command: FunctionType) -> bool:
    """Tell whether all words are one list, the first parameter, and the others are options."""
    # the annotations are read as text: to look at what they mean is to import typer
    said = [command.__annotations__[name] for name in _parameters(command)]
    options = all("typer.Option(" in each for each in said[1:])
    return bool(said and _WORDS.match(said[0])) and options and _without_default(command) <= 1


def _parameters(command: FunctionType) -> tuple[str, ...]:
    code = command.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _without_default(command: FunctionType) -> int:
    defaults = len(command.__defaults__ or ()) + len(command.__kwdefaults__ or {})
    return len(_parameters(command)) - defaults


class _Later(ModuleType):
    """Stands for a module until something is first taken from it.

    importlib's LazyLoader will not do: a second `import` of the name already makes it load.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
