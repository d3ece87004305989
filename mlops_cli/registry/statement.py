"""What a run did, as an in-toto statement with an SLSA predicate: the same record, the same bytes.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Record
from mlops_cli.registry.version import is_digest
from mlops_cli.store.digest import Digest

FILE = "provenance.json"
TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
STEP = "urn:mlops:step:1"
BUILDER = "urn:mlops:runner:local"


def of_run(record: Record) -> bytes:
    """Return the statement that the run of `record` made its outputs of its inputs.

    Subject: the outputs. Dependencies: the inputs, the commit, what differed from it where that
    was kept, the environment.
    """
    code = record["code"] if isinstance(record["code"], Mapping) else {}
    used = [_named(path, digest) for path, digest in sorted(digests(record["inputs"]).items())]
    if code.get("commit"):
        used.append({"name": "commit", "digest": {"gitCommit": str(code["commit"])}})
    used += [_named("patch", digest) for digest in digests({"": code.get("patch")}).values()]
    used += [_named("environment", digest) for digest in _of_environment(record)]
    kept = digests({name: record[name] for name in ("log", "series")})
    return canonical_json(
        {
            "_type": TYPE,
            "subject": [
                _named(path, digest) for path, digest in sorted(digests(record["outputs"]).items())
            ],
            "predicateType": PROVENANCE,
            "predicate": {
                "buildDefinition": {
                    "buildType": STEP,
                    "externalParameters": {"step": record["step"], "params": record["params"]},
                    "internalParameters": {"key": record["key"], "kind": record["step_kind"]},
                    "resolvedDependencies": used,
                },
                "runDetails": {
                    "builder": {"id": BUILDER},
                    "metadata": {
                        "invocationId": str(record.digest),
                        "startedOn": record["started"],
                        "finishedOn": record["time"],
                    },
                    "byproducts": [_named(name, digest) for name, digest in kept.items()],
                },
            },
        }
    )


def read(payload: bytes, *, source: str) -> Mapping[str, Any]:
    """Return the statement in `payload`. Raises IntegrityError ("malformed-statement")."""
    value = parse_json(payload, source=source)
    try:
        if value["_type"] != TYPE or value["predicateType"] != PROVENANCE:
            raise _malformed(source, "it is of another type")
        for each in _shaped(value["subject"], list):
            Digest.parse(f"sha256:{each['digest']['sha256']}")
            each["name"].encode()
        build = value["predicate"]["buildDefinition"]
        _shaped(build["resolvedDependencies"], list)
        steps = _shaped(build.get("internalParameters", {}), dict).get("steps", [])
        for each in _shaped(steps, list):
            _shaped(each, dict)
        _shaped(build["externalParameters"], dict)
        value["predicate"]["runDetails"]["metadata"]["invocationId"]
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise _malformed(source, f"it has no {exc}") from exc
    found: Mapping[str, Any] = value
    return found


def subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """Return name → digest of what a statement is about."""
    return {each["name"]: f"sha256:{each['digest']['sha256']}" for each in statement["subject"]}


def digests(value: Any) -> dict[str, str]:
    """Return name → digest of what a field of a record holds; what is no digest is left out."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): each for name, each in value.items() if is_digest(each)}


def _of_environment(record: Record) -> list[str]:
    found = record["environment"]
    return [*digests({"": found.get("digest")}).values()] if isinstance(found, Mapping) else []


def _shaped(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} where one is asked")
    return value


def _named(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": Digest.parse(str(digest)).hex}}


def _malformed(source: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{source} is not a statement of provenance: {why}",
        code="malformed-statement",
        hint="it was made by something else, or damaged",
    )
