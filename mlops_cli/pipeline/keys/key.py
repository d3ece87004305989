"""The key of a step: the digest of all that may change its outputs, its parts in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli import plugins
from mlops_cli.encode import canonical_json
from mlops_cli.pipeline.step import Step

VERSION = 1
UNKNOWN = "unknown"  # in the place of a digest: a step that comes first will make it


@dataclass(frozen=True, slots=True)
class Key:
    """`digest` is the SHA-256 of the canonical JSON of `parts`."""

    digest: str
    parts: Mapping[str, Any]


def key(
    step: Step,
    *,
    inputs: Mapping[str, str],
    params: Mapping[str, Any],
    code: Mapping[str, Any],
    environment: Mapping[str, str],
    variables: Mapping[str, str | None],
) -> Key:
    """Return the key of `step`; the arguments are those parts that stand outside of pipeline.yaml.

    `inputs` maps each dep to its digest, `variables` each name to a digest of its value. The name
    of the step is no part: a renamed step finds what it made before.
    """
    parts: dict[str, Any] = {
        "version": VERSION,
        "kind": step.kind,
        "outs": sorted(step.outs),
        "environment": dict(environment),
    }
    if (revision := plugins.revision(step.kind)) > 1:  # keys of before there were any stay valid
        parts["revision"] = revision
    optional: dict[str, Any] = {
        "cmd": list(step.cmd),
        "config": step.config,
        "env": dict(step.env),
        "wdir": "" if step.wdir == "." else step.wdir,
        "inputs": dict(inputs),
        "params": dict(params),
        "code": dict(code),
        "variables": dict(variables),
        "metrics": sorted(step.metrics),
        "until": step.until.get("metric"),
    }
    parts |= {name: value for name, value in optional.items() if value}
    return Key(digest_of(parts), parts)


def digest_of(parts: Mapping[str, Any]) -> str:
    """Return the digest of the parts of a key."""
    return "sha256:" + hashlib.sha256(canonical_json(parts)).hexdigest()
