"""Options that every command takes, before or after its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlops_cli.errors import UsageError


class Options(NamedTuple):
    """A NamedTuple and not a dataclass: `mlops --help` has no time to import dataclasses."""

    directory: str | None = None
    quiet: bool = False
    verbose: int = 0
    json: bool = False
    color: bool = True
    progress: bool = True


HELP: tuple[tuple[str, str], ...] = (
    ("-C DIR", "Run as if started in DIR"),
    ("-q, --quiet", "Print nothing but errors"),
    ("-v, --verbose", "Tell more; twice: tell all"),
    ("--json", "Print one JSON document on stdout, also on failure"),
    ("--no-color", "No colours (NO_COLOR is honoured too)"),
    ("--no-progress", "No progress bars and no heartbeat lines"),
)


def take(arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """Return the options that are for every command, and the arguments that are left.

    They may stand anywhere before `--`. Raises UsageError ("missing-value") for a bare -C.
    """
    directory: str | None = None
    quiet = json = False
    color = progress = True
    verbose = 0
    rest: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word == "-C":
            directory = next(waiting, None)
            if directory is None:
                raise UsageError(
                    "-C needs a folder", code="missing-value", hint="mlops -C path/to/project …"
                )
        elif word in ("-q", "--quiet"):
            quiet = True
        elif word in ("-v", "--verbose", "-vv"):
            verbose += 2 if word == "-vv" else 1
        elif word == "--json":
            json = True
        elif word == "--no-color":
            color = False
        elif word == "--no-progress":
            progress = False
        else:
            rest.append(word)
    return Options(directory, quiet, verbose, json, color, progress), rest


def nearest(word: str) -> str | None:
    """Return the option for every command that `word` was probably meant to be."""
    import difflib

    known = [each for words, _ in HELP for each in words.split(", ") if each.startswith("--")]
    near = difflib.get_close_matches(word, [*known, "--help", "--version"], n=1)
    return near[0] if near else None
