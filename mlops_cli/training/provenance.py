"""provenance.json: what a model was made of, as an in-toto statement with an SLSA predicate.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.registry.statement import BUILDER, PROVENANCE, TYPE
from mlops_cli.store.digest import Digest
from mlops_cli.training.bundle import MODEL

BUILD = "urn:mlops:pipeline:1"


def statement(
    files: Mapping[str, Digest],
    locks: Mapping[str, Lock],
    *,
    train: str,
    commit: str | None,
    run: str | None,
) -> dict[str, Any]:
    """Return the statement that `files` were made by the steps of `locks`, in their order.

    Materials are what entered from outside: sources, code by its syntax, the environment, the
    commit. Steps in between stand in internalParameters with their keys.
    """
    made = {path for lock in locks.values() for path in lock.outputs}
    materials: dict[str, dict[str, Any]] = {}
    for lock in locks.values():
        for path, digest in lock.parts.get("inputs", {}).items():
            if path not in made:
                materials[path] = {"name": path, "digest": _sha256(digest)}
        for file, units in lock.parts.get("code", {}).items():
            # the digest of its definitions: comments and layout are no part of it
            digest = Digest.of(canonical_json(units))
            materials[file] = {"name": file, "digest": _sha256(digest)}
        if environment := lock.parts.get("environment", {}).get("lock"):
            materials["environment"] = {"name": "environment", "digest": _sha256(environment)}
    listed = [materials[name] for name in sorted(materials)]
    if commit is not None:
        listed.append({"name": "commit", "digest": {"gitCommit": commit}})
    return {
        "_type": TYPE,
        "subject": [
            {"name": name, "digest": _sha256(files[name])}
            for name in sorted(files, key=lambda name: (name != MODEL, name))
        ],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "train": train,
                    "params": locks[f"train.{train}"].parts.get("params", {}),
                },
                "internalParameters": {
                    "steps": [
                        {
                            "step": name,
                            "key": lock.key,
                            "outputs": {path: out.digest for path, out in lock.outputs.items()},
                        }
                        for name, lock in locks.items()
                    ]
                },
                "resolvedDependencies": listed,
            },
            "runDetails": {
                "builder": {"id": BUILDER},
                "metadata": {"invocationId": run},
            },
        },
    }


def _sha256(digest: str) -> dict[str, str]:
    return {"sha256": Digest.parse(str(digest)).hex}
