"""What a command is given: where it stands, its parts on demand, and the way to answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.options import Options
from mlops_cli.cli.output import Sink
from mlops_cli.progress import Progress

if TYPE_CHECKING:
    from mlops_cli.config import Settings
    from mlops_cli.project import Project


class Context:
    """The one place where environment, home, clock and terminal come into the program."""

    def __init__(self, options: Options, sink: Sink, progress: Progress) -> None:
        self.options = options
        self.sink = sink
        self.progress = progress
        self.environment: Mapping[str, str] = os.environ
        self.cwd = Path.cwd()

    @cached_property
    def home(self) -> Path:
        return Path.home()

    @cached_property
    def settings(self) -> Settings:
        """The layered settings of the project around `cwd`, or the user's where there is none."""
        return self._settings(self.cwd)

    def project(self, at: Path | None = None) -> Project:
        """Return the project around `at`, or around `cwd`. Raises StateRefused where none is."""
        from mlops_cli.project import open_project

        if at is None:
            return open_project(self.cwd, self.settings)
        return open_project(at, self._settings(at))

    def _settings(self, start: Path) -> Settings:
        from mlops_cli import config

        return config.load(config.find_root(start), environment=self.environment, home=self.home)

    def now(self) -> datetime:
        """Return the time in UTC; MLOPS_NOW fixes it, for tests and for replays."""
        from mlops_cli.cli import moments

        return moments.parse(self.environment.get("MLOPS_NOW") or None, datetime.now(UTC))

    def warn(self, sentence: str) -> None:
        """Tell what deserves attention; it also stands in the JSON document."""
        self.sink.warn(sentence)

    def show(
        self,
        data: Mapping[str, Any],
        schema: str,
        human: str | Callable[[], str] | None = None,
        warnings: Iterable[str] = (),
        code: int = 0,
    ) -> int:
        """Print the result (JSON document or `human` text) and return the exit code."""
        for sentence in warnings:
            self.sink.warn(sentence)
        self.sink.result(data, schema, human)
        return code


_current: list[Context] = []


def enter(context: Context) -> None:
    """Make `context` the one that commands see; called once by main."""
    _current[:] = [context]


def current() -> Context:
    """Return the context of the command that runs."""
    if not _current:
        raise RuntimeError("no command is running")
    return _current[0]
