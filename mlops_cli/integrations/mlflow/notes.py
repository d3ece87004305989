"""The small files of a store of MLflow: meta.yaml, a text a param or tag, lines of a metric.

What cannot be read is named and left out, with the thing that it is of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.integrations.mlflow import document
from mlops_cli.integrations.mlflow.document import malformed
from mlops_cli.integrations.mlflow.entity import Entity, Point
from mlops_cli.integrations.mlflow.files import bounded, files, shown
from mlops_cli.integrations.mlflow.source import Omitted
from mlops_cli.integrations.mlflow.values import plain, point, whole

META = "meta.yaml"
_INTS = ("start", "end", "created", "updated")


@dataclass(frozen=True, slots=True)
class Notes:
    """The files below `root`, and what was left out of them."""

    root: Path
    omitted: list[Omitted] = field(default_factory=list)

    def one(self, what: str, path: Path, read: Callable[[Path], Entity]) -> Entity | None:
        """Return what `read` makes of the folder; None, and it is told, where it cannot."""
        try:
            return read(path)
        except ConfigError as exc:
            self.omitted.append(Omitted(what, shown(path.name), exc.message))
            return None

    def meta(self, path: Path, **names: str) -> dict[str, Any]:
        """Return our names → what the meta.yaml in the folder `path` says; texts, times as
        integers. Raises ConfigError."""
        said = self.said(path)
        facts = {ours: plain(said.get(theirs)) for ours, theirs in names.items()}
        return facts | {name: whole(facts[name]) for name in _INTS if name in facts}

    def said(self, path: Path) -> dict[str, Any]:
        """Return all that the meta.yaml in the folder `path` says. Raises ConfigError."""
        name = self._named(path / META)
        data = bounded(path / META, name=name, most=document.BYTES_AT_MOST)
        return document.parse(data, name=name)

    def texts(self, folder: Path) -> dict[str, str]:
        """Return the name of each file below → its text: a name may hold a slash."""
        return {name: self._text(path) for name, path in files(folder)}

    def points(self, folder: Path, *, told: bool = False) -> list[Point]:
        """Return the points of all metrics; `told`: run and dataset stand behind each."""
        found: list[Point] = []
        for name, path in files(folder):
            for line in self._text(path).splitlines():
                time, value, step, *rest = (*line.split(" ", 5), "", "0")
                behind = (*rest[:-2], None, None)[:3] if told and len(rest) > 2 else ()
                one = point(name, value, time, step, behind)
                if one is None:
                    raise malformed(self._named(path), f"{line[:80]!r} is no point")
                found.append(one)
        return found

    def _text(self, path: Path) -> str:
        return bounded(path, name=self._named(path)).decode("utf-8", "replace")

    def _named(self, path: Path) -> str:
        return f"{self.root.name}/{path.relative_to(self.root)}"
