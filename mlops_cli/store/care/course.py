"""How far a round of verification has come, and what it found: kept in a file between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mlops_cli import encode, fsio
from mlops_cli.store.digest import Digest

SCHEMA = "mlops.verify-round/1"

Level = Literal["metadata", "sizes", "bytes"]
LEVELS: tuple[Level, ...] = ("metadata", "sizes", "bytes")


class Unit(NamedTuple):
    """What is looked at in one go: a pack with its objects, or one large object."""

    name: str
    size: int


class Flaw(NamedTuple):
    """A file that is not as it should be, though perhaps every object in it is right."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look at one unit found."""

    checked: int = 0
    bytes: int = 0
    wrong: tuple[Digest, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        """Return both as one."""
        return Outcome(
            self.checked + other.checked,
            self.bytes + other.bytes,
            self.wrong + other.wrong,
            self.flaws + other.flaws,
        )


@dataclass(frozen=True, slots=True)
class Course:
    """How far a round has come."""

    level: Level
    after: str = ""  # the unit that was looked at last
    checked: int = 0
    bytes: int = 0
    wrong: tuple[Digest, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    complete: bool = False

    def with_next(self, unit: Unit, outcome: Outcome) -> Course:
        """Return the course after one more unit."""
        return Course(
            self.level,
            unit.name,
            self.checked + outcome.checked,
            self.bytes + outcome.bytes,
            self.wrong + outcome.wrong,
            self.flaws + outcome.flaws,
        )


def load(file: Path) -> dict[str, Course]:
    """Return the courses that `file` remembers, by kind; maybe none."""
    try:
        value = encode.parse_json(file.read_bytes(), source=file.name)
        if value["schema"] != SCHEMA:
            return {}
        return {key: _course(value[key]) for key in ("round", "sample") if key in value}
    except Exception:  # only a memory: without it the round begins at the beginning
        return {}


def _course(value: dict[str, Any]) -> Course:
    return Course(
        LEVELS[LEVELS.index(value["level"])],
        str(value["after"]),
        int(value["checked"]),
        int(value["bytes"]),
        tuple(Digest.parse(text) for text in value["wrong"]),
        tuple(Flaw(str(name), str(why)) for name, why in value["flaws"]),
    )


def save(file: Path, memory: dict[str, Course]) -> None:
    """Remember `memory`; nothing is left of a file when there is nothing to remember."""
    if not memory:
        file.unlink(missing_ok=True)
        return
    document: dict[str, Any] = {"schema": SCHEMA}
    for key, course in memory.items():
        document[key] = {
            "level": course.level,
            "after": course.after,
            "checked": course.checked,
            "bytes": course.bytes,
            "wrong": list(course.wrong),
            "flaws": [list(flaw) for flaw in course.flaws],
        }
    fsio.write_atomic(file, encode.readable_json(document), durable=False)
