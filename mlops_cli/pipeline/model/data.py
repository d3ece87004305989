"""What `data` and `features` say: sources, what must be true of them, what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ColumnCheck:
    """What must be true of one column. `nulls` is the greatest allowed share, 0 to 1."""

    type: Literal["int", "float", "string", "bool", "timestamp"] | None = None
    min: float | None = None
    max: float | None = None
    nulls: float | None = None
    unique: bool = False
    one_of: tuple[Any, ...] | None = None  # spelled `in` in pipeline.yaml
    matches: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """The column to predict, and the column that tells when its value became known."""

    column: str
    known_at: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One source of raw data and its contract."""

    path: str
    key: tuple[str, ...] = ()
    time: str | None = None
    label: Label | None = None
    checks: Mapping[str, ColumnCheck] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)  # {min, max}
    fresh_within: str | None = None
    owner: str | None = None
    known_at: Mapping[str, str] = field(default_factory=dict)  # column → when its value was known


@dataclass(frozen=True, slots=True)
class Window:
    """One statistic over trailing windows; exactly one of mean, sum, count is set."""

    over: tuple[str, ...]
    mean: str | None = None
    sum: str | None = None
    count: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Features of one entity: rows made by a transform, or statistics over trailing windows."""

    entity: tuple[str, ...]
    source: str  # spelled `from`: "data.weather"
    time: str
    ttl: str | None = None
    transform: str | None = None  # "src/features.py:weather"
    sql: str | None = None  # "features/weather.sql"
    fields: Mapping[str, str] = field(default_factory=dict)  # name → int | float | string | bool
    windows: Mapping[str, Window] = field(default_factory=dict)
    checks: Mapping[str, ColumnCheck] = field(default_factory=dict)
    on_fail: Literal["stop", "quarantine"] = "stop"
    online: bool = False
    owner: str | None = None
    description: str = ""
