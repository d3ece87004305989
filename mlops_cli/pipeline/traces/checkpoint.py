"""The checkpoint of a step: a folder that outlives killed and failed attempts at the same work.

It belongs to a key: a step whose inputs changed begins with an empty one. When the step is done
the folder goes, as the outputs hold what it led to.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.pipeline.traces.marker import remove

FOLDER = ".mlops/tmp/checkpoints"
VARIABLE = "MLOPS_CHECKPOINT"


def prepare(root: Path, step: str, path: str, key: str) -> Path:
    """Return the folder for an attempt at `key`; what another key left in it is gone."""
    folder, note = root / path, _note(root, step)
    wanted = json.dumps({"path": path, "key": key})
    try:
        same = note.read_text() == wanted
    except OSError:
        same = False
    if not same:
        remove(folder)
        fsio.write_atomic(note, wanted, durable=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget(root: Path, step: str) -> None:
    """Remove the checkpoint of a step that is done."""
    note = _note(root, step)
    if not os.path.lexists(note):
        return
    try:
        remove(fsio.inside(root, json.loads(note.read_bytes())["path"]))
    except (OSError, ValueError, KeyError):
        pass  # a new attempt begins with an empty one all the same
    note.unlink(missing_ok=True)


def _note(root: Path, step: str) -> Path:
    return root / FOLDER / f"{step}.json"
