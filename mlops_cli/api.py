"""The stable Python API: what scripts and notebooks may build on.

    from mlops_cli import api

    with api.open("data/flights/2013-01.parquet", rev="HEAD~3") as stream: ...
    table = pq.read_table("data/flights", filesystem=api.filesystem("https://host/repo.git"))
    model = api.model("delay@production")          # .version, .metrics, .path to the ONNX file
    rows = api.features("delay", spine)            # point-in-time features for the rows of spine
    api.run.log_metrics(loss=loss, step=epoch)     # in a step: figures, params, figures, artifacts

Names listed in `__all__` keep their meaning; everything else in the package may change.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlops_cli.callbacks import Callbacks
from mlops_cli.config import find_root, load
from mlops_cli.errors import MlopsError, UsageError
from mlops_cli.live import VARIABLE
from mlops_cli.project import Project, open_project

if TYPE_CHECKING:
    import fsspec
    import pyarrow as pa

    from mlops_cli.workspace.browse import Browser

__all__ = [
    "MlopsError",
    "Model",
    "features",
    "filesystem",
    "model",
    "open",
    "project",
    "read",
    "run",
]

run = Callbacks(os.environ.get(VARIABLE))  # the step that this process is, if it is one


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


def open(
    path: str,
    *,
    rev: str | None = None,
    repo: str | Path | None = None,
    mode: str = "rb",
    at: str | Path = ".",
) -> IO[Any]:
    """Return tracked data or a step's output as a file, verified while it is read.

    `path` is relative to the repository and may lie inside a tracked folder. `repo` is a folder or
    a git URL, the project around `at` when None; `rev` is any git revision: the work tree's
    pointers and locks when None, the default branch for a URL. What is not here is fetched.
    `mode` is "rb", or "r" for text in UTF-8. A stream read to its end was verified; who moves
    about in the file gets bytes that were. Raises NotFound ("not-tracked", "missing-object"),
    IntegrityError ("damaged-object").
    """
    from mlops_cli.store.served import serve

    if mode not in ("r", "rb", "rt"):
        raise UsageError(
            f"tracked data cannot be opened with mode {mode!r}",
            code="bad-value",
            hint="'rb' for bytes, 'r' for text",
        )
    browser = _browser(repo, rev, at)
    stream = serve(browser.cache, browser.bring(path))
    return stream if mode == "rb" else io.TextIOWrapper(stream, encoding="utf-8")


def read(
    path: str, *, rev: str | None = None, repo: str | Path | None = None, at: str | Path = "."
) -> bytes:
    """Return the bytes that `open` would give, all of them verified."""
    browser = _browser(repo, rev, at)
    return browser.cache.read(browser.bring(path))


def filesystem(
    repo: str | Path | None = None, *, rev: str | None = None
) -> fsspec.AbstractFileSystem:
    """Return tracked data as a read-only file system of fsspec, which pandas, pyarrow and others
    take; fetched when it is read. `repo` and `rev` are as in `open`; "mlops://" is the same.
    """
    from mlops_cli.integrations.fsspec.filesystem import MlopsFileSystem

    return MlopsFileSystem(repo=None if repo is None else str(repo), rev=rev)


def _browser(repo: str | Path | None, rev: str | None, at: str | Path) -> Browser:
    from mlops_cli.integrations.fsspec.opened import opened

    start = Path(at).absolute()
    return opened(repo, rev, start=start, environment=os.environ, home=Path.home())


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
    from mlops_cli.pipeline.reading.load import load as load_pipeline

    opened = project(at)
    return rows(opened.root, load_pipeline(opened.root), train, spine)
