"""Checks and decisions in the ledger: those that were, and one more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import record, timestamp
from mlops_cli.monitoring import window
from mlops_cli.monitoring.check import Check
from mlops_cli.pipeline.model.data import Source
from mlops_cli.pipeline.model.monitoring import Monitor
from mlops_cli.registry.version import Version
from mlops_cli.serving.parts import Parts
from mlops_cli.workspace import pointer as pointers


def checked(index: Index, name: str) -> list[dict[str, str]]:
    """Return the severity of each family in the checks of monitor `name`, newest first."""
    return [
        {family: part["severity"] for family, part in item["families"].items()}
        for item in index.newest("check")
        if item["monitor"] == name
    ]


def retrained(index: Index, name: str) -> list[datetime]:
    """Return when monitor `name` decided to retrain, newest first."""
    return [
        datetime.fromisoformat(str(item["at"]))
        for item in index.newest("decision")
        if item["monitor"] == name and item["action"] == "retrain"
    ]


def write(
    parts: Parts,
    monitor: Monitor,
    source: Source,
    served: window.Served,
    version: Version | None,
    result: Check,
    at: datetime,
) -> Check:
    """Append the records of a check and its decision; return the check with their digests."""
    common: dict[str, Any] = {
        "time": parts.now(),
        "actor": str(parts.git.identity()),
        "code": code_now(parts.git),
        "monitor": result.monitor,
    }
    seen = record(
        "check",
        **common,
        environment=monitor.deployment,
        window={"start": timestamp(result.start), "end": timestamp(result.end)},
        at=timestamp(at),
        models=[served.model] if served.model else [],
        version=result.version,
        model=version.model if version else None,
        bundle=version.bundle if version else None,
        predictions=list(served.segments),
        rows=result.rows,
        labelled=result.labelled,
        labels={source.path: _digest_of(parts, source)},
        families=result.families(),
        metrics=dict(result.metrics),
        verdict=result.verdict,
        parents=list(served.records),
    )
    decided = record(
        "decision",
        **common,
        check=seen.digest,
        at=timestamp(at),
        action=result.decision.action,
        because=list(result.decision.because),
        parents=[seen.digest],
    )
    parts.ledger.append(seen, decided)
    return replace(result, record=str(seen.digest), decided=str(decided.digest))


def _digest_of(parts: Parts, source: Source) -> str | None:
    """Return the digest under which the labels are tracked, None where they are not."""
    if not (parts.root / f"{source.path}{pointers.SUFFIX}").is_file():
        return None
    return str(pointers.read_pointer(parts.root, f"{source.path}{pointers.SUFFIX}").digest)
