"""pipeline.yaml to the model: every refusal names file, line and column, and what was meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.pipeline.checks.whole import check
from mlops_cli.pipeline.model.pipeline import SPELLED, Pipeline
from mlops_cli.pipeline.reading import include, matrix
from mlops_cli.pipeline.reading.build import FILE, build
from mlops_cli.pipeline.reading.partitions import Span
from mlops_cli.pipeline.words.document import Node, Place, read, refuse


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model together with the text it came from, for errors found later."""

    pipeline: Pipeline
    top: Node
    reads: frozenset[str] = frozenset()  # files beside it that say which steps there are
    span: Span | None = None  # the time in which these are the steps

    def place(self, *path: str | int) -> Place:
        """Return where the value at `path` stands, or its nearest parent that is written."""
        return place_of(self.top, *path)


def load(root: Path) -> Pipeline:
    """Return what pipeline.yaml in `root` says.

    Raises ConfigError with `details` file, line, column; codes: malformed-yaml, duplicate-key,
    unknown-key, missing-key, wrong-type, wrong-value, unknown-reference, path-outside-project,
    metric-does-not-fit-task, label-missing. NotFound ("missing-file") without pipeline.yaml.
    """
    return load_with_places(root).pipeline


def load_with_places(root: Path, *, now: datetime | None = None) -> Loaded:
    """Return the model and where each of its values stands; errors as in `load`.

    `now` says which partitions there are: by the clock of the machine when left out.
    """
    top = read(root / FILE, name=FILE)
    version = top.value.get("version") if isinstance(top.value, dict) else None
    if version is not None and version.value != 1:
        raise refuse(
            version.place,
            f"version {version.text or version.shape} of {FILE} is not known to this mlops",
            code="wrong-value",
            hint="write version: 1, or install a newer mlops",
        )
    reads: list[str] = []
    top = include.included(top, root, reads, chain=(FILE,))
    span = Span(now or datetime.now(UTC))
    top = matrix.unrolled(top, root, reads, span)
    loaded = Loaded(build(Pipeline, top, "pipeline.yaml"), top, frozenset(reads), span)
    check(loaded.pipeline, loaded.place, root)
    return loaded


def place_of(top: Node, *path: str | int) -> Place:
    """Return where the value at `path` stands, or its nearest parent that is written."""
    node, place = top, top.place
    for step in path:
        value = node.value
        if isinstance(value, dict):
            word = next((w for w in (str(step), SPELLED.get(str(step), "")) if w in value), None)
            if word is None:
                break
            node, place = value[word], node.keys[word]
        elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
            node = value[step]
            place = node.place
        else:
            break  # one value where a list may stand
    return place if isinstance(node.value, dict) else node.place
