"""What a training stands on: its section, its rows, its parent; the same for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.runner import RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.training import dataset
from mlops_cli.training import parent as parents
from mlops_cli.training.parent import Parent
from mlops_cli.training.session import Run

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Ground:
    """`train` are the rows to learn from: those that the parent has not seen, if so asked."""

    section: Mapping[str, Any]
    task: str
    context: RunContext
    folder: Path  # the dataset
    out: Path  # the folder of the model
    facts: Mapping[str, Any]
    train: pa.Table
    validate: pa.Table
    seed: int
    parent: Parent | None
    of: int  # rows there would be without a parent

    def run(self, table: pa.Table | None = None, **more: Any) -> Run:
        """Return what the user's function is handed; categories are those of the rows `table`."""
        return Run(
            self.train if table is None else table,
            self.facts["features"],
            self.facts["label"],
            seed=self.seed,
            classes=self.facts.get("classes", ()),
            parent=self.parent,
            progress=self.context.progress,
            live=self.context.live,
            **more,
        )


def ground(step: Step, context: RunContext) -> Ground:
    """Return what the step trains on.

    Raises StepFailed ("no-training-rows", "no-new-rows").
    """
    section: Mapping[str, Any] = step.config["train"]
    folder = context.root / step.deps[0]
    facts = dataset.facts(folder)
    train, validate = dataset.rows(folder, "train"), dataset.rows(folder, "validate")
    if not train.num_rows or not validate.num_rows:
        raise StepFailed(
            f"{train.num_rows} rows to train on, {validate.num_rows} to validate",
            code="no-training-rows",
            hint="widen dataset.window or the split in pipeline.yaml",
        )
    parent = parents.read(context.root / step.deps[1]) if section.get("warm_start") else None
    rows = train.num_rows
    if parent is not None and parent.incremental:
        train = _newer(train, facts["time"], parent)
    return Ground(
        section,
        str(step.config.get("task", "binary")),
        context,
        folder,
        context.outs[step.outs[0]],
        facts,
        train,
        validate,
        int(context.params.get("seed", context.seed)),
        parent,
        rows,
    )


def _newer(train: pa.Table, time: str | None, parent: Parent) -> pa.Table:
    """Return the rows after the newest one that the parent was trained on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if time is None or parent.after is None:
        raise StepFailed(
            "without a time column nobody knows which rows are newer",
            code="no-new-rows",
            hint="add time: to the source, or take incremental out",
        )
    column = train[time]
    if not pa.types.is_timestamp(column.type):
        column = pc.strptime(column, format="%Y-%m-%dT%H:%M:%SZ", unit="us")
    since = pa.scalar(parent.after.removesuffix("Z")).cast(pa.timestamp("us"))
    newer = train.filter(pc.greater(column.cast(pa.timestamp("us")), since))
    if not newer.num_rows:
        raise StepFailed(
            f"no row to train with is newer than {parent.after}, up to where {parent.name} knows",
            code="no-new-rows",
            hint="wait for data, or train without --incremental",
        )
    return newer
