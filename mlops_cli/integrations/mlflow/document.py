"""The YAML files of MLflow, read as plain texts: nothing is built, and no bomb goes off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlops_cli.errors import ConfigError

BYTES_AT_MOST = 16 << 20
DEPTH_AT_MOST = 40
VALUES_AT_MOST = 200_000  # aliases of aliases make more; no meta.yaml does
_NULL = ("", "~", "null", "Null", "NULL")


def parse(data: bytes, *, name: str) -> dict[str, Any]:
    """Return the mapping in the bytes of a file: texts, None, mappings and lists of them.

    Raises ConfigError ("malformed-mlflow-file") naming `name`.
    """
    import yaml

    if len(data) > BYTES_AT_MOST:
        raise malformed(name, f"it has more than {BYTES_AT_MOST >> 20} MiB")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        value = _Builder(name).value(yaml.parse(data.decode("utf-8-sig"), Loader=loader))
    except UnicodeDecodeError as exc:
        raise malformed(name, "it is not UTF-8") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise malformed(name, f"{where}{getattr(exc, 'problem', None) or exc}") from exc
    if not isinstance(value, dict):
        raise malformed(name, "a mapping is expected")
    return value


class _Builder:
    """Makes values of events, one after another: the composer of libyaml recurses in C, and ten
    thousand brackets end the process. An alias counts as often as it is used."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.open: list[tuple[Any, list[Any], str | None, int]] = []  # event, items, anchor, count
        self.known: dict[str, tuple[Any, int]] = {}
        self.top: Any = None

    def value(self, events: Iterable[Any]) -> Any:
        """Return the value of the first document."""
        for event in events:
            kind = type(event).__name__
            if kind in ("MappingStartEvent", "SequenceStartEvent"):
                self.open.append((kind, [], event.anchor, self.count))
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                started, items, anchor, before = self.open.pop()
                pairs = zip(map(str, items[::2]), items[1::2], strict=True)
                built = dict(pairs) if started == "MappingStartEvent" else items
                self._add(built, anchor, 1 + self.count - before)
            elif kind == "ScalarEvent":
                null = event.implicit[0] and event.value in _NULL
                self._add(None if null else event.value, event.anchor, 1)
            elif kind == "AliasEvent":
                value, size = self.known.get(event.anchor, (None, 1))
                self.count += size - 1
                self._add(value, None, 1)
            elif kind == "DocumentEndEvent":
                break
            if self.count > VALUES_AT_MOST or len(self.open) > DEPTH_AT_MOST:
                raise malformed(self.name, "it is larger than it looks")
        return self.top

    def _add(self, value: Any, anchor: str | None, size: int) -> None:
        self.count += 1
        if anchor:
            self.known[anchor] = value, size
        if self.open:
            self.open[-1][1].append(value)
        else:
            self.top = value


def malformed(name: str, why: str) -> ConfigError:
    """Return the error for a file that is not as MLflow writes it."""
    return ConfigError(
        f"{name} cannot be read: {why}",
        code="malformed-mlflow-file",
        hint="is it a folder that MLflow wrote? compare it with a copy",
        details={"file": name},
    )
