"""Figures of a step while it runs: one append-only file of JSON lines, read while it grows.

A line is one write of its own, so several processes may log, and a crash leaves all lines before
it. Nothing is locked and git is not asked. The executor names the folder in MLOPS_LIVE; without
it, as when a script is tried by hand, logging does nothing.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "MLOPS_LIVE"
POINTS = "points.jsonl"
ARTIFACTS = "artifacts"


class Live:
    """What `from mlops_cli.api import run` gives: the run in which this process is."""

    def __init__(self, folder: str | Path | None) -> None:
        self._folder = None if not folder else Path(folder)
        self._handle: int | None = None
        self._counts: dict[str, int] = {}

    @property
    def active(self) -> bool:
        """Whether what is logged goes anywhere."""
        return self._folder is not None

    def log_metric(self, name: str, value: Any, step: int | None = None) -> None:
        """Log one figure; steps count from 0 where none is given. Tensors of one element do."""
        self.log_metrics({name: value}, step=step)

    def log_metrics(
        self, metrics: Mapping[str, Any] | None = None, step: int | None = None, **more: Any
    ) -> None:
        """Log figures of one step: log_metrics({"loss": loss}, step=3), log_metrics(loss=loss)."""
        values = {str(name): float(value) for name, value in {**(metrics or {}), **more}.items()}
        if self._folder is None or not values:
            return
        if step is None:
            step = max(self._counts.get(name, 0) for name in values)
        for name in values:
            self._counts[name] = int(step) + 1
        shown = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._write({"step": int(step), "time": round(time.time(), 3), "metrics": shown})

    def log_param(self, name: str, value: Any) -> None:
        """Log what was chosen while running; what was given is recorded in any case."""
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Log several params: log_params(threshold=0.4)."""
        values = {str(name): _plain(value) for name, value in {**(params or {}), **more}.items()}
        if self._folder is not None and values:
            self._write({"time": round(time.time(), 3), "params": values})

    def log_artifact(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Keep a copy of a file or folder, as it is now, with the run."""
        source = Path(path)
        if self._folder is None:
            return
        target = self._place(name or source.name)
        import shutil  # brings three compressors

        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)

    def log_figure(self, name: str, figure: Any) -> None:
        """Keep a figure: of matplotlib (as SVG), of plotly and others that can `to_html`, or the
        bytes or text of an image. Raises TypeError for what is none of them."""
        if self._folder is None:
            return
        if hasattr(figure, "savefig"):
            figure.savefig(self._place(_named(name, ".svg")), format="svg")
        elif hasattr(figure, "to_html"):
            self._place(_named(name, ".html")).write_text(figure.to_html(), encoding="utf-8")
        elif isinstance(figure, bytes | str):
            data = figure if isinstance(figure, bytes) else figure.encode()
            self._place(name).write_bytes(data)
        else:
            raise TypeError(f"{type(figure).__name__} is no figure: it has no savefig or to_html")

    def _place(self, name: str) -> Path:
        assert self._folder is not None
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts:
            raise ValueError(f"{name!r} cannot be the name of an artifact")
        target = self._folder / ARTIFACTS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._handle is None:
            assert self._folder is not None
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(self._folder / POINTS, flags, 0o644)
        os.write(self._handle, json.dumps(line, separators=(",", ":")).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Point:
    """One figure; `value` is None where it was no number."""

    step: int
    time: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """What was logged: points by metric in the order of writing, params with the last value."""

    metrics: Mapping[str, list[Point]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, float]:
        """The last number of each metric."""
        return {
            name: numbers[-1]
            for name, points in self.metrics.items()
            if (numbers := [point.value for point in points if point.value is not None])
        }


def parse(data: bytes) -> Series:
    """Return what the lines say; one that was cut short, or is none of ours, says nothing."""
    metrics: dict[str, list[Point]] = {}
    params: dict[str, Any] = {}
    for line in data.split(b"\n"):
        try:
            value = json.loads(line)
            params |= value.get("params", {})
            for name, number in value.get("metrics", {}).items():
                metrics.setdefault(name, []).append(Point(value["step"], value["time"], number))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return Series(metrics, params)


def read(folder: Path) -> bytes:
    """Return the lines that were logged into `folder` so far; none where nothing was."""
    try:
        return (folder / POINTS).read_bytes()
    except OSError:
        return b""


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int | type(None)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else str(value)


def _named(name: str, suffix: str) -> str:
    return name if Path(name).suffix else name + suffix
