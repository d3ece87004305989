"""The one sink: a result on stdout for people or machines, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mlops_cli.cli.render import text
from mlops_cli.errors import MlopsError


class Sink:
    """Where a command's words go: human text, one JSON document, or (quiet) errors only."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: int) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self._warnings: list[str] = []

    def result(
        self, data: Mapping[str, Any], schema: str, human: str | Callable[[], str] | None
    ) -> None:
        """Print the result of a command; `human` is only called when a person reads it."""
        if self.as_json:
            self.document({"schema": schema, "ok": True, "data": data, "warnings": self._warnings})
        elif not self.quiet and human is not None:
            words = human if isinstance(human, str) else human()
            if words:
                sys.stdout.write(words if words.endswith("\n") else words + "\n")

    def warn(self, sentence: str) -> None:
        """Tell what deserves attention but stopped nothing."""
        if sentence in self._warnings:
            return
        self._warnings.append(sentence)
        if not self.as_json and not self.quiet:
            label = text.style("warning:", "yellow", stream="stderr")
            sys.stderr.write(f"{label} {_steady(sentence)}\n")

    def error(self, error: MlopsError) -> None:
        """Print an error: what is so, the code in brackets, the next command."""
        if self.as_json:
            self.document(
                {
                    "schema": "mlops.error/1",
                    "ok": False,
                    "error": {
                        "code": error.code,
                        "message": error.message,
                        "hint": error.hint,
                        "exit_code": error.exit_code,
                        "details": error.details,
                    },
                    "warnings": self._warnings,
                }
            )
            return
        label = text.style("error:", "red", stream="stderr")
        code = text.style(f"[{error.code}]", "dim", stream="stderr")
        lines = [f"{label} {_steady(error.message)} {code}"]
        if self.verbose and error.__cause__ is not None:
            lines.append(
                f"because: {type(error.__cause__).__name__}: {_steady(str(error.__cause__))}"
            )
        if error.hint:
            lines.append(f"{text.style('hint:', 'bold', stream='stderr')} {_steady(error.hint)}")
        sys.stdout.flush()
        sys.stderr.write("\n".join(lines) + "\n")

    def document(self, document: Mapping[str, Any]) -> None:
        """Print one JSON document on stdout."""
        told = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
        sys.stdout.write(text.shown_json(told) + "\n")


def _steady(words: str) -> str:
    """Return the words of an error, in which others' words stand: they steer no terminal."""
    return "\n".join(text.shown(line) for line in words.expandtabs(4).split("\n"))


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form: make it plain before ctx.show")
