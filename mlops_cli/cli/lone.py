"""A command line of one word has nothing to parse, so typer (30 ms) is not imported for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from mlops_cli.cli.catalog import COMMANDS


def lone(words: list[str]) -> Callable[[], Any] | None:
    """Return the command to call as it stands, None where the words have to be parsed.

    What typer would pass for absent words are the defaults of the function, because commands
    declare nothing else; see test_a_lone_command_gets_what_the_parser_would_pass.
    """
    if len(words) != 1 or words[0] not in COMMANDS:
        return None
    sys.modules.setdefault("typer", _Later("typer"))
    module = importlib.import_module(COMMANDS[words[0]].module)
    command = getattr(module, "command", None)
    if hasattr(module, "app") or not isinstance(command, FunctionType):
        return None
    return command if _has_all_defaults(command) else None


def _has_all_defaults(command: FunctionType) -> bool:
    named = command.__code__.co_argcount + command.__code__.co_kwonlyargcount
    return named == len(command.__defaults__ or ()) + len(command.__kwdefaults__ or {})


class _Later(ModuleType):
    """Stands for a module until something is first taken from it.

    importlib's LazyLoader will not do: a second `import` of the name already makes it load.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
