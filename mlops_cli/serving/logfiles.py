"""Where the prediction log lies, and what stands before the names of inputs in it."""

from __future__ import annotations

from pathlib import Path

OPEN, SEALED = "open", "sealed"
INTERVAL = 0.5  # seconds between two batches
INPUT = "input."  # before the name of every input, so that none collides with our columns


def folder(root: Path, environment: str) -> Path:
    return root / ".mlops" / "predictions" / environment
