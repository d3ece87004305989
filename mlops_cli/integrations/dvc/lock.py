"""dvc.lock: what each stage saw and made the last time, in schema 1.0 and 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.integrations.dvc import text

FILE = "dvc.lock"


@dataclass(frozen=True, slots=True)
class Locked:
    """One stage as it was. Paths are as written: relative to the folder of the stage."""

    cmd: tuple[str, ...]
    deps: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, Mapping[str, Any]]
    outs: tuple[Mapping[str, Any], ...]


def read_lock(value: Any, *, name: str) -> dict[str, Locked]:
    """Return what a dvc.lock says, by the name of the stage. Raises ConfigError."""
    values = text.mapping(value, name=name)
    schema = values.get("schema")
    if schema is not None and str(schema) not in ("1.0", "2.0"):
        raise text.malformed(name, f"its schema is {schema!r}, and 1.0 and 2.0 are known")
    # before 2.0 the stages stood at the top
    stages = values.get("stages") if "stages" in values or schema == "2.0" else values
    return {
        stage: read_locked(text.mapping(item, name=name), name=name)
        for stage, item in text.mapping(stages, name=name).items()
        if stage != "schema"
    }


def read_locked(values: Mapping[str, Any], *, name: str) -> Locked:
    """Return one entry."""
    cmd = values.get("cmd") or ()
    deps = [text.mapping(dep, name=name) for dep in text.listing(values.get("deps"), name=name)]
    params = {
        str(dep.get("path") or "params.yaml"): dep["params"]
        for dep in deps
        if isinstance(dep.get("params"), dict)
    }
    for file, kept in text.mapping(values.get("params"), name=name).items():
        params[file] = text.mapping(kept, name=name)
    return Locked(
        tuple(str(line) for line in cmd) if isinstance(cmd, list | tuple) else (str(cmd),),
        {str(dep.get("path")): dep for dep in deps if "params" not in dep},
        params,
        tuple(text.mapping(out, name=name) for out in text.listing(values.get("outs"), name=name)),
    )
