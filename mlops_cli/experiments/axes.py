"""`train.lr=0.1,0.01` and `train.lr=log:1e-4..1e-1`: which param, and which values it may take."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import UsageError
from mlops_cli.pipeline.keys.params import flat, read_params
from mlops_cli.pipeline.words.document import meant

_RANGE = re.compile(r"(?P<log>log:)?(?P<low>-?[\d.eE+-]+?)\.\.(?P<high>-?[\d.eE+-]+)")


@dataclass(frozen=True, slots=True)
class Axis:
    """One param of a file; it has either `values`, or all between `low` and `high`."""

    file: str
    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False

    @property
    def name(self) -> str:
        """As people write it: "train.lr", or "other.yaml:train.lr"."""
        return self.key if self.file == "params.yaml" else f"{self.file}:{self.key}"

    @property
    def continuous(self) -> bool:
        """Whether it cannot be counted through."""
        return not self.values

    def draw(self, source: random.Random) -> Any:
        """Return one value by chance."""
        if self.values:
            return source.choice(self.values)
        if self.integer:
            return source.randint(int(self.low), int(self.high))
        if self.log:
            return math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        return source.uniform(self.low, self.high)


def parse(words: Sequence[str], root: Path, files: Collection[str]) -> list[Axis]:
    """Return what each of `words` ("KEY=VALUES") says; `files` are those that steps read.

    Raises UsageError ("bad-value", "unknown-param") naming the nearest key.
    """
    known = _known(root, files)
    found = [_axis(word, known) for word in words]
    twice = {axis.name for axis in found if [one.name for one in found].count(axis.name) > 1}
    if twice:
        raise UsageError(
            f"{', '.join(sorted(twice))} is given twice",
            code="bad-value",
            hint="write all values after one =, with commas: KEY=1,2,3",
        )
    return found


def _known(root: Path, files: Collection[str]) -> dict[str, list[str]]:
    """Return file → dotted names of its single values; params.yaml comes first."""
    named = dict.fromkeys(["params.yaml", *sorted(files)])
    there = [file for file in named if file in files or (root / file).is_file()]
    return {
        file: list(flat(f"{file}:", value)) if isinstance(value, Mapping) else []
        for file, value in read_params(root, there).items()
    }


def _axis(word: str, known: Mapping[str, Sequence[str]]) -> Axis:
    name, equals, text = word.partition("=")
    if not equals or not name or not text:
        raise UsageError(
            f"{word!r} sets nothing", code="bad-value", hint="write KEY=VALUE: train.lr=0.1,0.01"
        )
    given, colon, key = name.rpartition(":")
    files = [given] if colon else [file for file, keys in known.items() if key in keys]
    file = files[0] if files else ""
    if key not in known.get(file, ()):
        every = [one for keys in known.values() for one in keys]
        raise UsageError(
            f"there is no param {name!r}",
            code="unknown-param",
            hint=meant(name, every),
            details={"param": name, "known": every[:50]},
        )
    if match := _RANGE.fullmatch(text):
        return _range(file, key, word, match)
    return Axis(file, key, tuple(_value(part, word) for part in _split(text)))


def _range(file: str, key: str, word: str, match: re.Match[str]) -> Axis:
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        low = high = math.nan
    log = bool(match["log"])
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
        raise UsageError(
            f"{word!r} is no range",
            code="bad-value",
            hint="the lower end first: 1..10, 0.1..0.9; log:1e-4..1e-1 with both above 0",
        )
    whole = re.compile(r"-?\d+")
    integer = not log and all(whole.fullmatch(match[end]) for end in ("low", "high"))
    return Axis(file, key, low=low, high=high, log=log, integer=integer)


def _split(text: str) -> list[str]:
    """Return the parts between commas that stand in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _value(text: str, word: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if value is None and text.strip() not in ("null", "~"):
        raise UsageError(
            f"{text!r} in {word!r} is no value", code="bad-value", hint="KEY=1,2,3 or KEY=a,b"
        )
    if isinstance(value, str):  # YAML 1.1 takes 1e-4 for a word
        try:
            return float(value) if re.fullmatch(r"-?\d+(\.\d+)?[eE][+-]?\d+", value) else value
        except ValueError:
            return value
    return value
