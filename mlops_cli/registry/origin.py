"""What a version was made of, and by which runs, as the ledger has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_cli.ledger import lineage
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.registry.evidence import fields
from mlops_cli.registry.version import Version


@dataclass(frozen=True, slots=True)
class Origin:
    """`data`: path → digest of what no step made; `runs`: the records of the steps, oldest first.

    Empty where the ledger is not here: the tag alone says nothing of it.
    """

    data: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[Record, ...] = ()

    @property
    def training(self) -> Record | None:
        """The record of the step that trained it."""
        return next((one for one in reversed(self.runs) if one["step_kind"] == "train"), None)

    @property
    def cpu_hours(self) -> float:
        """What its steps used; of one that told no CPU time, as long as it took."""
        return sum(cpu_seconds(run) for run in self.runs) / 3600


def origin(index: Index, version: Version) -> Origin:
    """Return what `version` was made of; a training beside it, or before it, is not."""
    digest = str(version.payload.get("digest"))
    starts = lineage.start_of(index, version.model, version.number, digest=digest, run=version.run)
    graph = lineage.making(index, *starts)
    found = [index.get(node) for node in graph.nodes if graph.nodes[node].place == "ledger"]
    runs = sorted(
        (one for one in found if one is not None and one.kind == "run"),
        key=lambda run: (str(run["started"]), str(run["time"])),
    )
    made = {str(digest) for run in runs for digest in fields(run["outputs"]).values()}
    data = {
        path: digest
        for run in runs
        for path, digest in fields(run["inputs"]).items()
        if isinstance(digest, str) and digest not in made
    }
    return Origin(dict(sorted(data.items())), tuple(runs))


def cpu_seconds(run: Record) -> float:
    """Return the CPU seconds of a step, of processes it started too; else how long it took."""
    for value in (fields(run["environment"]).get("cpu_seconds"), run["seconds"]):
        if isinstance(value, int | float):
            return float(value)
    return 0.0
