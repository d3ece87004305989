"""The stable Python API: what scripts and notebooks may build on.

    from mlops_cli import api

    with api.open("data/flights/2013-01.parquet", rev="HEAD~3") as stream: ...
    model = api.model("delay@production")          # .version, .metrics, .path to the ONNX file
    rows = api.features("delay", spine)            # point-in-time features for the rows of spine

Names listed in `__all__` keep their meaning; everything else in the package may change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlops_cli.config import find_root, load
from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.project import Project, open_project

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MlopsError", "Model", "features", "model", "open", "project"]


@dataclass(frozen=True, slots=True)
class Model:
    """A version of a model, verified on disk; `path` is its ONNX file."""

    name: str
    version: int
    digest: str
    metrics: Mapping[str, float]
    inputs: tuple[Mapping[str, Any], ...]
    path: Path


def project(at: str | Path = ".") -> Project:
    """Return the project around the folder `at`. Raises MlopsError where there is none."""
    start = Path(at).absolute()

    settings = load(find_root(start), environment=os.environ, home=Path.home())
    return open_project(start, settings)


def open(path: str, *, rev: str | None = None, at: str | Path = ".") -> BinaryIO:
    """Return the bytes of tracked data or of a step's output, verified while they are read.

    `path` is relative to the project and may lie inside a tracked folder; `rev` is any git
    revision, the work tree's pointers and locks when None. Raises NotFound ("not-tracked"),
    IntegrityError ("damaged-object").
    """
    from mlops_cli.store.digest import Digest
    from mlops_cli.store.tree import parse_tree
    from mlops_cli.workspace.tracked import tracked, tracked_at

    opened = project(at)
    found = tracked_at(opened.git, rev) if rev else tracked(opened.root, opened.git)
    for one in found:
        if path == one.path and one.kind == "file":
            return opened.cache.open(one.digest)
        if path.startswith(one.path + "/") and one.kind == "tree":
            digest: Digest | None = one.digest
            for name in path[len(one.path) + 1 :].split("/"):
                entries = parse_tree(opened.cache.read(digest)) if digest else ()
                digest = next((entry.digest for entry in entries if entry.name == name), None)
            if digest:
                return opened.cache.open(digest)
    where = f" at {rev}" if rev else ""
    raise NotFound(f"{path} is not tracked{where}", code="not-tracked", hint="mlops ls")


def model(name: str, *, at: str | Path = ".") -> Model:
    """Return the version that `name` means: "delay@production", "delay@v3", "delay" (newest).

    Its bundle is put under `.mlops/serving/bundles`, every byte verified.
    """
    from mlops_cli.registry.registry import Registry
    from mlops_cli.serving.bundle import open_bundle

    opened = project(at)
    version = Registry(opened.git).resolve(name)
    folder = opened.root / open_bundle(opened.cache, version.bundle, root=opened.root)
    return Model(
        version.model,
        version.number,
        str(version.digest),
        dict(version.payload["metrics"]),
        tuple(version.payload["inputs"]),
        folder / "model.onnx",
    )


def features(train: str, spine: pa.Table, *, at: str | Path = ".") -> pa.Table:
    """Return for each row of `spine` what the model of `train.NAME` would be given at its time.

    Same rows, same order; features are joined as they were known at the time column of the
    spine's source. Needs the extra `features`.
    """
    from mlops_cli.features.dataset import rows
    from mlops_cli.pipeline.load import load as load_pipeline

    opened = project(at)
    return rows(opened.root, load_pipeline(opened.root), train, spine)
