"""In what two versions differ: data, code, params, environment, metrics, tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.registry.origin import Origin
from mlops_cli.registry.version import Version

SECTIONS = ("model", "data", "code", "params", "environment", "metrics", "inputs", "outputs")
_MEASURED = ("seconds", "memory", "bytes", "load")  # differ from run to run of the same


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise; None where one of the two does not have it."""

    section: str
    name: str
    old: Any
    new: Any


def differences(
    old: Version, new: Version, *, was: Origin, now: Origin
) -> tuple[list[Change], list[str]]:
    """Return what differs, section by section, and the sections that could not be told, because
    the ledger here has no run of one of the two."""
    untold = [] if was.runs and now.runs else ["data", "code", "params", "environment"]
    before, after = _facts(old, was), _facts(new, now)
    found = [
        change
        for section in SECTIONS
        if section not in untold
        for change in _compared(section, before[section], after[section])
    ]
    return found, untold


def _compared(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(section, name, old.get(name), new.get(name))


def _facts(version: Version, origin: Origin) -> dict[str, dict[str, Any]]:
    """Return section → name → value of one version."""
    payload, runs = version.payload, origin.runs
    training = origin.training
    told = _flat(training["environment"] or {}) if training else {}
    return {
        "model": {name: payload.get(name) for name in ("digest", "format", "train", "dirty")},
        "data": dict(origin.data),
        "code": {"commit": version.commit}
        | {file: digest for run in runs for file, digest in (run["sources"] or {}).items()},
        "params": {name: value for run in runs for name, value in (run["params"] or {}).items()},
        "environment": {
            name: value
            for name, value in told.items()
            if not any(word in name.rpartition(".")[2] for word in _MEASURED)
        },
        "metrics": dict(payload.get("metrics") or {}),
        "inputs": _columns(payload.get("inputs")),
        "outputs": _columns(payload.get("outputs")),
    }


def _columns(listed: Any) -> dict[str, Any]:
    """Return name → type of the tensors, with what else is said of each."""
    if not isinstance(listed, list):
        return {}
    return {
        str(item.get("name")): {key: value for key, value in item.items() if key != "name"}
        for item in listed
        if isinstance(item, Mapping)
    }


def _flat(value: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found |= _flat(item, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = item
    return found
