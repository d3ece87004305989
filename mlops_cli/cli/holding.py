"""A row, named by its key, found in every dataset that the ledger tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.cli.render import text
from mlops_cli.errors import MlopsError, NotFound, UsageError

if TYPE_CHECKING:
    from mlops_cli.ledger.index import Index
    from mlops_cli.pipeline.model.pipeline import Pipeline
    from mlops_cli.project import Project

JOINER = "|"  # between the parts of a key of several columns, as in request ids


def found(
    project: Project, index: Index, name: str, key: str, *, until: str | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the datasets that hold the row: {digest, path, sides}, oldest first; and warnings.

    `name` is data (its key) or a feature view (its entity). Raises NotFound ("unknown-row",
    "unknown-data"), UsageError ("bad-row-key").
    """
    from mlops_cli.features import rows
    from mlops_cli.ledger import words
    from mlops_cli.pipeline.reading.load import load

    columns, source = _columns(load(project.root), name)
    values = key.split(JOINER)
    if len(values) != len(columns):
        raise UsageError(
            f"{key!r} is not a key of {name}",
            code="bad-row-key",
            hint=f"write {JOINER.join(column.upper() for column in columns)}, in quotes",
        )
    steps = [step for step in words.names(index) if step.startswith("dataset.")]
    held: list[dict[str, Any]] = []
    absent = 0
    for step in steps:
        for digest in words.ends_of(index, step, "output", until=until):
            try:
                sides = rows.holding(project.cache, digest, columns, values, source=source)
            except MlopsError:  # not pulled, or damaged
                absent += 1
                continue
            if sides:
                held.append({"digest": digest, "step": step, "sides": sides})
    lost = [
        f"{text.count(absent, 'dataset')} could not be read; mlops pull brings what a remote has."
    ]
    if not held:
        raise NotFound(
            f"no dataset that is here holds the row {key!r} of {name}",
            code="unknown-row",
            hint=lost[0] if absent else f"mlops lineage {name} --down",
        )
    return held, lost if absent else []


def _columns(pipeline: Pipeline, name: str) -> tuple[tuple[str, ...], str | None]:
    """Return the columns of the key, and the path of the spine where the key is that of data."""
    view = pipeline.features.get(name.removeprefix("features."))
    if view is not None:
        return tuple(view.entity), None
    for known, source in pipeline.data.items():
        if name in (known, f"data.{known}", source.path) and source.key:
            return tuple(source.key), source.path
    known_names = [f"data.{each}" for each, source in pipeline.data.items() if source.key]
    known_names += [f"features.{each}" for each in pipeline.features]
    raise NotFound(
        f"pipeline.yaml has no data with a key, and no feature view, called {name!r}",
        code="unknown-data",
        hint=f"--row goes with {', '.join(known_names) or 'data.NAME, once it has a key'}",
    )
