"""What an event shows for itself, in pairs of words: figures, gates, digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.ledger.record import Record


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece: `passed` where it was judged, None where it is only told."""

    name: str
    value: str
    passed: bool | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"name": self.name, "value": self.value, "passed": self.passed}


def of_version(payload: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """Return what the tag of a version shows."""
    found = [Evidence("model", str(payload.get("digest")))]
    found += [Evidence(name, str(payload[name])) for name in _NAMED if payload.get(name)]
    found += _metrics(payload.get("metrics"))
    for name in ("parity", "golden"):
        shown = fields(payload.get(name))
        if "passed" in shown:
            rows = f", {shown['rows']} rows" if shown.get("rows") else ""
            far = shown.get("max_abs")
            gap = f"at most {far:.2g} off{rows}" if isinstance(far, float) else f"tried{rows}"
            found.append(Evidence(name, gap, shown["passed"] is True))
    dirty = payload.get("dirty")
    if isinstance(dirty, list):
        words = ", ".join(map(str, dirty)) if dirty else "nothing differed"
        found.append(Evidence("commit", words, not dirty))
    return tuple(found)


def of_event(payload: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """Return what the tag of a move shows: the policy, each rule, the event before."""
    found = []
    for rule in map(fields, items(payload.get("rules"))):
        passed = rule.get("passed") is True
        found.append(Evidence(str(rule.get("name")), str(rule.get("why") or ""), passed))
    found += [
        Evidence(name, str(payload[name])) for name in ("policy", "previous") if payload.get(name)
    ]
    return tuple(found)


def of_record(record: Record) -> tuple[Evidence, ...]:
    """Return what a record of the ledger shows."""
    return tuple(_OF.get(record.kind, _any)(record))


def subject(record: Record) -> str:
    """Return what a record is about, in a word or two."""
    one = record.__getitem__
    if record.kind == "run":
        return str(one("step"))
    if record.kind == "deployment":
        return f"{one('environment')}: {one('model')}@v{one('version')}"
    if record.kind == "predictions":
        return str(one("deployment"))
    if record.kind in ("check", "decision"):
        return str(one("monitor"))
    version = f"@v{one('version')}" if one("version") is not None else ""
    return f"{one('model') or record.kind}{version}"


_NAMED = ("bundle", "run", "dataset", "judged_on", "lock", "card", "attestation", "signature")


def _run(record: Record) -> Iterator[Evidence]:
    yield Evidence("status", str(record["status"]), record["status"] in ("done", "cached"))
    yield Evidence("run", str(record["run"]))
    for name in ("inputs", "outputs"):
        for path, digest in fields(record[name]).items():
            yield Evidence(f"{name[:-1]} {path}", str(digest))
    if digest := fields(record["environment"]).get("digest"):
        yield Evidence("environment", str(digest))
    yield from _metrics(record["metrics"])


def _deployment(record: Record) -> Iterator[Evidence]:
    yield Evidence("action", str(record["action"]))
    for name in ("digest", "bundle", "former", "url"):
        if record[name]:
            yield Evidence(name, str(record[name]))


def _check(record: Record) -> Iterator[Evidence]:
    verdict = str(record["verdict"])
    yield Evidence("verdict", verdict, verdict not in ("alarm", "warning"))
    window = fields(record["window"])
    yield Evidence("window", f"{window.get('start')} to {window.get('end')}")
    yield from _metrics(record["metrics"])
    for family, part in fields(record["families"]).items():
        severity = str(fields(part).get("severity"))
        yield Evidence(str(family), severity, severity not in ("important", "warning"))


def _decision(record: Record) -> Iterator[Evidence]:
    yield Evidence("action", str(record["action"]))
    yield Evidence("check", str(record["check"]))


def _evaluation(record: Record) -> Iterator[Evidence]:
    yield Evidence("verdict", str(record["verdict"]))
    yield Evidence("rows", str(record["rows"]))
    for side in ("challenger", "champion"):
        if named := fields(record[side]):
            yield Evidence(side, f"v{named.get('version')} {named.get('digest')}")
    yield from _metrics(record["result"])


def _predictions(record: Record) -> Iterator[Evidence]:
    yield Evidence("rows", str(record["rows"]))
    yield Evidence("segment", str(record["segment"]))
    yield Evidence("from, to", f"{record['start']} to {record['end']}")


def _any(record: Record) -> Iterator[Evidence]:
    common = ("schema", "kind", "time", "actor", "code", "parents", "reason", "because")
    for name, value in record.body.items():
        if name not in common and isinstance(value, str | int | float) and value != "":
            yield Evidence(name, str(value))


_OF = {
    "run": _run,
    "deployment": _deployment,
    "check": _check,
    "decision": _decision,
    "evaluation": _evaluation,
    "predictions": _predictions,
}


def fields(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and nothing for what should be one: tags and records may lie."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """Return a list as it is, and nothing for what should be one."""
    return value if isinstance(value, list) else []


def _metrics(metrics: Any) -> list[Evidence]:
    return [
        Evidence(str(name), _figure(value))
        for name, value in fields(metrics).items()
        if isinstance(value, str | int | float)
    ]


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
