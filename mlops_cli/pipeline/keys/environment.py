"""The environment of steps: the part that belongs into keys, and the part that is only told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import NotFound

# what changes results most often; their versions stand in the record of a run
TOLD = ("numpy", "pyarrow", "duckdb", "torch", "onnx", "onnxruntime", "scikit-learn", "pandas")
LOCKS = {"uv": "uv.lock", "conda": "conda-lock.yml"}  # where a kind looks when none is named


def environment(
    root: Path, env: Mapping[str, Any], *, python: tuple[int, int], cache: Path | None = None
) -> dict[str, str]:
    """Return the part of a key that the `env` of pipeline.yaml stands for: what pins the
    environment, and the version of the interpreter where nothing else does.

    `cache` keeps lock files as they were read. Raises NotFound ("missing-file") when the lock
    file is not there, ConfigError ("malformed-lock-file").
    """
    kind = env.get("kind", "system")
    if kind == "container":
        return {"kind": kind, "image": str(env["image"]).rpartition("@")[2]}
    part = {} if kind == "system" else {"kind": kind}
    if kind != "conda":  # whose lock file names the interpreter
        part["python"] = f"{python[0]}.{python[1]}"
    if lock := lock_of(env):
        from mlops_cli.pipeline.keys import lockfile

        try:
            data = (root / lock).read_bytes()
        except OSError as exc:
            raise NotFound(
                f"there is no {lock}, which pipeline.yaml names as env.lock",
                code="missing-file",
                hint=f"write it ({_HOW.get(lockfile.form(lock), 'pip freeze > ' + lock)}), or "
                "correct env.lock",
                details={"file": lock},
            ) from exc
        part["lock"] = lockfile.digest(data, lock, cache=cache)
    return part


def lock_of(env: Mapping[str, Any]) -> str | None:
    """Return the lock file of an `env`, the usual one of its kind where it names none."""
    return env.get("lock") or LOCKS.get(env.get("kind", "system"))


_HOW = {"uv": "uv lock", "pylock": "uv export --format pylock.toml", "conda": "conda-lock"}


def told(part: Mapping[str, str], python: Path | None = None) -> dict[str, Any]:
    """Return what a record says of the environment whose part of the key is `part`: its digest,
    interpreter and libraries, and the machine. `python` is the interpreter of an environment of
    the step's own."""
    from mlops_cli.encode import canonical_json
    from mlops_cli.pipeline.keys import machine

    digest = "sha256:" + hashlib.sha256(canonical_json(dict(part))).hexdigest()
    found: dict[str, Any] = {"digest": digest, **machine.machine()}
    if part.get("kind") == "container":
        return {**found, "image": part["image"]}
    return {**found, **(machine.interpreter(TOLD) if python is None else _of(python))}


def _of(python: Path) -> dict[str, Any]:
    """Return what is installed beside the interpreter `python`; it is not started."""
    from importlib import metadata

    folders = [str(path) for path in python.parents[1].glob("lib/python*/site-packages")]
    found = {item.metadata["Name"]: item.version for item in metadata.distributions(path=folders)}
    try:
        text = (python.parents[1] / "pyvenv.cfg").read_text()
        lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    except OSError:  # an environment of conda has none
        lines = {}
    version = lines.get("version_info") or lines.get("version")
    return {"python": version, "packages": dict(sorted(found.items()))}
