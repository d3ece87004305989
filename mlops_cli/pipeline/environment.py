"""The environment of steps: the part that belongs into keys, and the part that is only told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import NotFound

# what changes results most often; their versions stand in the record of a run
TOLD = ("numpy", "pyarrow", "duckdb", "torch", "onnx", "onnxruntime", "scikit-learn", "pandas")


def environment(root: Path, lock: str | None, *, python: tuple[int, int]) -> dict[str, str]:
    """Return the part of a key: interpreter version and normalised digest of the lock file.

    Raises NotFound ("missing-file") when the lock file is not there.
    """
    part = {"python": f"{python[0]}.{python[1]}"}
    if lock:
        try:
            text = (root / lock).read_text(encoding="utf-8", errors="replace")
        except OSError as exc:
            raise NotFound(
                f"there is no {lock}, which pipeline.yaml names as env.lock",
                code="missing-file",
                hint=f"write it (pip freeze > {lock}), or correct env.lock",
                details={"file": lock},
            ) from exc
        normal = normalised(text, requirements=lock.endswith(".txt"))
        part["lock"] = "sha256:" + hashlib.sha256(normal.encode()).hexdigest()
    return part


def normalised(text: str, *, requirements: bool) -> str:
    """Return the text of a lock file without comments, blank lines and trailing spaces.

    The lines of a requirements file mean the same in any order, so they are sorted.
    """
    lines: list[str] = []
    joined = ""
    for raw in text.splitlines():
        line = raw.rstrip()
        if requirements:
            line = " ".join(line.split(" #")[0].split())
            if line.endswith("\\"):
                joined += line[:-1].strip() + " "
                continue
            line, joined = (joined + line).strip(), ""
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(sorted(lines) if requirements else lines) + "\n"


def told(part: Mapping[str, str]) -> dict[str, Any]:
    """Return what a record says: digest of the key part, interpreter, platform, libraries."""
    import platform
    import sys
    from importlib import metadata

    from mlops_cli.encode import canonical_json

    packages: dict[str, str] = {}
    for name in TOLD:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "digest": "sha256:" + hashlib.sha256(canonical_json(dict(part))).hexdigest(),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "packages": packages,
    }
