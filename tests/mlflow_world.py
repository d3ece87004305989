"""What a real MLflow 3.17.2 wrote: a database and a folder mlruns, with their artifacts."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

DATA = Path(__file__).parent / "unit/integrations/mlflow/data"
LONG = "x" * 5000


def database(folder: Path) -> Path:
    """Write mlflow.db and its artifacts into the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mlflow.db"
    with sqlite3.connect(path) as connection:
        connection.executescript((DATA / "mlflow.sql").read_text(encoding="utf-8"))
    connection.close()
    unfold("artifacts.json", folder / "mlruns")
    return path


def mlruns(folder: Path) -> Path:
    """Write a store of files into the folder and return it."""
    return unfold("mlruns.json", folder / "mlruns")


def unfold(name: str, root: Path) -> Path:
    """Write the files of a fixture below `root`: texts, and bytes in base64."""
    files = json.loads((DATA / name).read_text(encoding="utf-8"))
    for path, value in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, str):
            target.write_text(value.replace("{5000x}", LONG), encoding="utf-8")
        else:
            target.write_bytes(base64.b64decode(value[0]))
    return root
