"""Why two attempts at a step came out as they did: the parts in which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.planning.differences import differences
from mlops_cli.pipeline.planning.reasons import InputChanged, Reason
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.vcs.repo import Git

Part = Literal["data", "code", "params", "environment", "hardware", "determinism"]
PARTS: tuple[Part, ...] = ("params", "code", "data", "environment", "hardware")

_OF_REASON: dict[str, Part] = {
    "param-changed": "params",
    "code-changed": "code",
    "command-changed": "code",
    "environment-changed": "environment",
    "variable-changed": "environment",
}
_SCRIPTS = {".py", ".ipynb", ".sh", ".sql", ".r", ".jl"}
_MACHINE = ("platform", "hardware", "cpu", "gpu", "blas", "threads")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `name` is the param, path or library."""

    part: Part
    name: str
    sentence: str

    def as_json(self) -> dict[str, str]:
        """Return it as plain values."""
        return {"part": self.part, "name": self.name, "sentence": self.sentence}


def why(git: Git, old: Record, new: Record) -> list[Difference]:
    """Return what differs between two records of one step; nothing where all they tell is alike.

    The parts of their keys are taken from the locks that their runs committed, where git has
    them: only those say which function of the code is another.
    """
    before, after = locked(git, old), locked(git, new)
    if before is not None and after is not None:
        found = of_parts(before.parts, after.parts)
    else:
        found = list(_of_records(old, new))
    return in_order([*found, *of_environments(old["environment"], new["environment"])])


def of_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between the parts of two keys."""
    return [_of(reason) for reason in differences(old, new)]


def of_environments(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> list[Difference]:
    """Return what differs between what two records tell of environment and machine."""
    before, after = _told(old), _told(new)
    return [
        Difference(
            "hardware" if name.partition(".")[0] in _MACHINE else "environment",
            name,
            f"{name} {_shown(before, name)} → {_shown(after, name)}",
        )
        for name in dict.fromkeys([*before, *after])
        if name != "digest" and before.get(name) != after.get(name)
    ]


def _told(environment: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a record tells by name; of a library that was installed and loaded, one."""
    found = _flat(environment or {})
    return {
        name.removeprefix("loaded.").removeprefix("packages."): value
        for name, value in found.items()
        if not name.startswith("loaded.") or f"packages.{name[7:]}" not in found
    }


def locked(git: Git, record: Record) -> locks.Lock | None:
    """Return the lock that the run of `record` committed, None where git does not have it."""
    run, step = str(record["run"]), str(record["step"])
    words = ("log", "--all", "-1", "--format=%H", "--fixed-strings", f"--grep=Mlops-Run: {run}")
    commit = git.run(*words, check=False)
    data = git.show(commit, locks.path_of(step)) if commit else None
    if data is None:
        return None
    try:
        lock = locks.read_lock(data, step=step)
    except IntegrityError:
        return None
    return lock if lock.key == record["key"] else None


def in_order(found: Iterable[Difference]) -> list[Difference]:
    """Return `found` without repetitions, what people change most often first."""
    known = list(dict.fromkeys(found))
    return sorted(known, key=lambda one: PARTS.index(one.part) if one.part in PARTS else 9)


def part_of(reason: Reason) -> Part:
    """Return to which part of what a step is made of `reason` belongs."""
    if isinstance(reason, InputChanged):
        return _of_path(reason.path)
    return _OF_REASON.get(reason.code, "code")


def _of_path(path: str) -> Part:
    """Return what an input is: a script that a command names as one is code."""
    return "code" if PurePosixPath(path).suffix.lower() in _SCRIPTS else "data"


def _of(reason: Reason) -> Difference:
    facts = reason.as_json()
    name = str(facts.get("name") or facts.get("path") or facts.get("what") or "")
    return Difference(part_of(reason), name, reason.sentence())


def _of_records(old: Record, new: Record) -> Iterator[Difference]:
    for part, field in (("params", "params"), ("data", "inputs")):
        before, after = old[field] or {}, new[field] or {}
        for name in dict.fromkeys([*before, *after]):
            if before.get(name) != after.get(name):
                change = f"param {name} {_shown(before, name)} → {_shown(after, name)}"
                sentence = change if part == "params" else f"{name} changed"
                yield Difference("params" if part == "params" else _of_path(name), name, sentence)
    if old["key"] == new["key"]:
        return
    commits = [str((one["code"] or {}).get("commit"))[:12] for one in (old, new)]
    same = commits[0] == commits[1]
    if not same or (old["code"] or {}).get("dirty") != (new["code"] or {}).get("dirty"):
        told = f"commit {commits[0]} → {commits[1]}" if not same else "uncommitted changes"
        yield Difference("code", "commit", told)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found |= _flat(item, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = item
    return found


def _shown(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if values.get(name) is not None else "nothing"
