"""One immutable event, named by the SHA-256 of its canonical JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError
from mlops_cli.ledger import redact
from mlops_cli.store.digest import Digest

SCHEMA = "mlops.record/1"
MOST = 16 << 20  # bytes of a record that is read
LONGEST = 1 << 16  # letters of a text in one that is written

# What each kind must say beside time, actor, code, run and parents; it may say more.
KINDS: dict[str, tuple[str, ...]] = {
    "run": ("step", "step_kind", "key", "status", "started", "seconds", "inputs", "outputs"),
    "evaluation": ("rows", "metric", "result", "verdict"),
    "register": ("model", "version", "digest", "bundle"),
    "promotion": ("model", "alias", "event", "version", "digest"),
    "deployment": ("environment", "model", "version", "digest", "action"),
    "predictions": ("deployment", "segment", "rows", "start", "end", "models"),
    "check": ("monitor", "environment", "window", "models", "predictions", "verdict"),
    "decision": ("monitor", "check", "action", "because"),
    "feedback": ("to", "about", "text"),
    "closed": ("event", "about", "reason"),
    "claim": ("trigger", "window", "outcome", "claimed", "machine", "because"),
    "mlflow": ("of", "model"),
}


@dataclass(frozen=True, slots=True)
class Code:
    """The code an event was made by: the commit, and which files differed from it."""

    commit: str | None
    dirty: tuple[str, ...] = ()
    patch: str | None = None  # digest of the difference, where one is kept in the cache
    branch: str | None = None  # None where no branch was checked out


@dataclass(frozen=True)
class Record:
    """One event: its kind and its whole body, as it is hashed."""

    kind: str
    body: Mapping[str, Any]

    @cached_property
    def data(self) -> bytes:
        """The canonical bytes: what is stored and what the digest is of."""
        return canonical_json(self.body)

    @cached_property
    def digest(self) -> Digest:
        """The identity of the record."""
        return Digest.of(self.data)

    @property
    def path(self) -> str:
        """Where the record lies on its ref."""
        name = self.digest.hex
        return f"records/{name[:2]}/{name}.json"

    def __getitem__(self, name: str) -> Any:
        return self.body.get(name)


def record(
    kind: str,
    *,
    time: datetime,
    actor: str,
    code: Code | None = None,
    run: str | None = None,
    parents: Sequence[str] = (),
    **fields: Any,
) -> Record:
    """Return the record of an event; `run` is the id that all events of one `mlops run` share.

    Numbers that JSON does not have (NaN, infinities) become null; what looks like a secret goes,
    and `redacted` says where; of very long texts the beginning stays. Raises ValueError for an
    unknown kind or a field that its kind must have: that is our bug, never the person's.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind of record {kind!r}")
    missing = [name for name in KINDS[kind] if name not in fields]
    if missing:
        raise ValueError(f"a record of kind {kind} needs {', '.join(missing)}")
    body = {
        "schema": SCHEMA,
        "kind": kind,
        "time": timestamp(time),
        "actor": actor,
        "code": _code(code),
        "run": run,
        "parents": [str(parent) for parent in parents],
        **fields,
    }
    told, gone = redact.fields(_short(plain(body)))
    return Record(kind, {**told, "redacted": gone} if gone else told)


def parse(data: bytes, *, name: str, source: str) -> Record:
    """Return the record in `data`, whose digest must be `name` ("sha256:…").

    Raises IntegrityError ("damaged-record") naming it when the bytes are other ones, or no record.
    """
    actual = Digest.of(data)
    if actual != name:
        raise IntegrityError(
            f"the record {name} in {source} has the bytes of {actual}",
            code="damaged-record",
            hint="git fsck; git fetch the ledger from a clone that is sound",
            details={"digest": name, "actual": actual, "source": source},
        )
    if len(data) > MOST:
        raise _damaged(name, source, f"is of {len(data):,} bytes, too many for a record")
    try:
        body = parse_json(data, source=name)
        made = Record(str(body["kind"]), body) if isinstance(body, dict) else None
        if made is None or not isinstance(body["kind"], str):
            raise _damaged(name, source, "is not a record")
        if made.data != data:
            raise _damaged(name, source, "is not canonical JSON")
    except (KeyError, ValueError, RecursionError):
        raise _damaged(name, source, "is not a record") from None
    return made


def _damaged(name: str, source: str, how: str) -> IntegrityError:
    return IntegrityError(
        f"{name} in {source} {how}", code="damaged-record", details={"digest": name}
    )


def _short(value: Any) -> Any:
    """Return `value` with the beginnings of texts that are too long for a record."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]} … ({len(value) - LONGEST:,} more letters)"
    return value


def timestamp(time: datetime) -> str:
    """Return `time` in UTC with milliseconds: sorts as text ("2013-02-01T00:00:00.000Z")."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Return `value` as plain JSON: text keys, lists, null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, str):  # a file name may hold bytes that are no text
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "item"):  # a number of numpy, which must not be imported here
        return plain(value.item())
    return str(value)


def _code(code: Code | None) -> dict[str, Any] | None:
    if code is None:
        return None
    told = {"commit": code.commit, "dirty": list(code.dirty), "patch": code.patch}
    return told | ({"branch": code.branch} if code.branch else {})
