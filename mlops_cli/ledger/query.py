"""Questions about runs: which there were, what one did, which fit a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger.condition import Condition
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record

_WORST = ("failed", "killed", "done", "cached")


@dataclass(frozen=True, slots=True)
class Run:
    """All that one `mlops run` did: its step records in the order they ended."""

    id: str
    records: tuple[Record, ...]

    @property
    def status(self) -> str:
        """Return the worst status of its steps: failed, killed, done, cached."""
        present = {record["status"] for record in self.records}
        return next((status for status in _WORST if status in present), "unknown")

    @property
    def started(self) -> str:
        """When its first step began."""
        return min((str(r["started"] or r["time"]) for r in self.records), default="")

    @property
    def seconds(self) -> float:
        """The time that its steps took, added up."""
        known = [record["seconds"] for record in self.records]
        return sum(float(value) for value in known if isinstance(value, int | float))

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of its steps; those of the last step come first and win a name."""
        found: dict[str, Any] = {}
        for record in reversed(self.records):
            metrics = record["metrics"]
            found = {**found, **(metrics if isinstance(metrics, Mapping) else {}), **found}
        return found


def runs(index: Index, *, limit: int = 20) -> list[Run]:
    """Return the newest runs first."""
    return [_run(index, name) for name in index.run_ids(limit=limit)]


def run(index: Index, name: str) -> Run:
    """Return the run of this id, of a unique beginning of it, or "latest".

    Raises NotFound ("unknown-run"), UsageError ("ambiguous-run").
    """
    if name == "latest":
        found = index.run_ids(limit=1)
    else:
        found = index.run_ids(limit=5, prefix=name)
        found = [name] if name in found else found
    if not name or not found:
        hint = "mlops runs list" + ("; of versions: mlops models diff" if "@" in name else "")
        raise NotFound(f"there is no run {name!r}", code="unknown-run", hint=hint)
    if len(found) > 1:
        some = ", ".join(found[:3])
        raise UsageError(
            f"{name!r} begins several runs", code="ambiguous-run", hint=f"among them {some}"
        )
    return _run(index, found[0])


def record(index: Index, prefix: str) -> Record:
    """Return the record whose digest begins with `prefix`, "sha256:" written or not.

    Raises NotFound ("unknown-record"), UsageError ("ambiguous-digest"),
    IntegrityError ("damaged-record").
    """
    name = prefix.removeprefix("sha256:").lower()
    found = index.find(f"sha256:{name}") if len(name) >= 4 else []
    if len(found) > 1:
        raise UsageError(
            f"{prefix!r} begins several records",
            code="ambiguous-digest",
            hint=f"write more of it, as in {found[0][:23]}",
        )
    exact = index.get(found[0] if found else f"sha256:{name}")
    if exact is None:
        raise NotFound(
            f"there is no record {prefix!r}", code="unknown-record", hint="mlops runs list"
        )
    return exact


def search(
    index: Index, condition: Condition, *, kind: str = "run", limit: int = 20
) -> Iterator[Record]:
    """Return the newest records of `kind` that fulfil `condition`; all where `limit` is -1.

    Of several states of one run only the last is asked.
    """
    old = index.replaced()
    found = (one for one in index.fitting(condition, kind) if not old or one.digest not in old)
    return islice(found, limit if limit >= 0 else None)


def _run(index: Index, name: str) -> Run:
    found = list(index.newest("run", run=name))
    old = {record["replaces"] for record in found}
    steps = [record for record in found if str(record.digest) not in old]
    steps.sort(key=lambda r: (str(r["started"]), str(r["time"])))
    return Run(name, tuple(steps))
