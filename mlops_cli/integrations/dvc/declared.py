"""What a stage declares: its deps, its params, and what it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.integrations.dvc.outs import Refused, place


@dataclass(frozen=True, slots=True)
class Made:
    """One output of a stage: `role` is outs, metrics or plots; `options` are DVC's words."""

    path: str  # relative to the project
    role: str
    options: Mapping[str, Any]


def words(values: Mapping[str, Any], key: str, name: str) -> list[str]:
    """Return a list of paths as written. Raises Refused."""
    found = values.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Refused(name, f"its {key} are no list of paths")
    return found


def params(values: Mapping[str, Any], name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each params file with the keys that count, none of them for all. Raises Refused."""
    keys: list[str] = []
    for item in values.get("params") or []:
        if isinstance(item, str):
            file, colon, _ = item.partition(":")
            if colon:
                yield file, ()
            else:
                keys.append(item)
        elif isinstance(item, dict):
            for file, wanted in item.items():
                if wanted is not None and not isinstance(wanted, list):
                    raise Refused(name, f"its params of {file} are no list")
                yield file, tuple(str(one) for one in wanted or ())
        else:
            raise Refused(name, f"its params list {item!r}")
    if keys:
        yield "params.yaml", tuple(keys)


def outs(values: Mapping[str, Any], wdir: str, name: str) -> Iterator[Made]:
    """Yield the outputs, metrics and plots. Raises Refused."""
    for role in ("outs", "metrics", "plots"):
        items = values.get(role) or []
        if not isinstance(items, list):
            raise Refused(name, f"its {role} are no list")
        for item in items:
            pairs = item.items() if isinstance(item, dict) else ((item, None),)
            for path, options in pairs:
                given = options if isinstance(options, dict) else {}
                yield Made(place(wdir, path), role, given)
