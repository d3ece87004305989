"""What `deploy` ships: a bundle out of the cache, verified, and tried on its golden rows."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.fsio import temporary_beside
from mlops_cli.serving import batch
from mlops_cli.serving.model import Model
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree

FOLDER = ".mlops/serving/bundles"
TOLERANCE = 1e-5  # absolute; what the export allows between the trained model and ONNX


@dataclass(frozen=True, slots=True)
class Golden:
    """Whether a model gives again what it gave when it was trained."""

    rows: int
    max_abs: float
    passed: bool


def open_bundle(cache: Cache, bundle: str, *, root: Path) -> str:
    """Put the bundle with the tree digest `bundle` under `root`; return its relative folder.

    A folder from before is used when every file in it still has its digest.
    Raises IntegrityError, NotFound ("missing-object").
    """
    tree = Digest.parse(bundle)
    relative = f"{FOLDER}/{tree.hex}"
    folder = root / relative
    if folder.is_dir() and _sound(cache, tree, folder):
        return relative
    temporary = temporary_beside(folder)
    try:
        _write(cache, tree, temporary)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return relative


def check_golden(model: Model, folder: Path) -> Golden:
    """Run the golden rows of the bundle in `folder` through `model`.

    Raises NotFound ("incomplete-bundle") without golden.arrow.
    """
    import numpy as np

    table = _golden_table(folder / "golden.arrow")
    outputs = batch.predict(model, table)
    worst = 0.0
    for name, made in outputs.items():
        wanted = np.asarray(table.column(name).to_pylist())
        if made.dtype.kind in "fiu":
            gap = np.abs(made.reshape(wanted.shape).astype(float) - wanted.astype(float))
            worst = max(worst, float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0)))
        elif made.tolist() != wanted.tolist():
            worst = float("inf")
    return Golden(table.num_rows, worst, worst <= TOLERANCE)


def refuse_golden(model: Model, golden: Golden) -> IntegrityError:
    """Return the error for a model that no longer gives its golden outputs."""
    return IntegrityError(
        f"{model.name} v{model.version} does not give its golden outputs: "
        f"off by {golden.max_abs:.3g} on {golden.rows} rows, {TOLERANCE:g} allowed",
        code="golden-mismatch",
        hint="another version of onnxruntime? train and register the model again",
        details={"max_abs": min(golden.max_abs, 1e308), "rows": golden.rows},
    )


def _golden_table(path: Path) -> Any:
    import pyarrow as pa

    try:
        with pa.OSFile(str(path)) as source:
            magic = source.read(6)
            source.seek(0)
            opener = pa.ipc.open_file if magic == b"ARROW1" else pa.ipc.open_stream
            with opener(source) as reader:
                return reader.read_all()
    except FileNotFoundError as exc:
        raise NotFound(
            f"the bundle has no golden rows: {path}",
            code="incomplete-bundle",
            hint="register the model again",
        ) from exc


def _write(cache: Cache, tree: Digest, folder: Path) -> None:
    folder.mkdir()
    for entry in parse_tree(cache.read(tree)):
        target = folder / entry.name
        if entry.mode == "dir":
            _write(cache, entry.digest, target)
        elif entry.mode == "link":
            raise IntegrityError(
                f"the bundle holds a link: {entry.name}",
                code="link-in-bundle",
                hint="register the model again",
            )
        else:
            cache.copy_to(entry.digest, target)


def _sound(cache: Cache, tree: Digest, folder: Path) -> bool:
    entries = parse_tree(cache.read(tree))
    if {entry.name for entry in entries} != {path.name for path in folder.iterdir()}:
        return False
    for entry in entries:
        path = folder / entry.name
        if entry.mode == "dir":
            if not path.is_dir() or not _sound(cache, entry.digest, path):
                return False
        elif not path.is_file() or Digest.of(path.read_bytes()) != entry.digest:
            return False
    return True
