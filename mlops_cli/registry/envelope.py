"""A DSSE envelope: a payload, what it is, and who signed both.

https://github.com/secure-systems-lab/dsse/blob/master/envelope.md and protocol.md
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError, MlopsError, StateRefused
from mlops_cli.registry import signers

INTOTO = "application/vnd.in-toto+json"
NAMESPACE = "mlops-attestation"
LONGEST = 4 * 1024 * 1024  # a statement names some thousand things at most
MOST = 16  # signatures; each costs a process to check


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload of `kind` and the signatures over both, each with the key it says it is by."""

    kind: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def data(self) -> bytes:
        """The bytes that are stored."""
        return canonical_json(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.kind,
                "signatures": [
                    {"keyid": key, "sig": base64.b64encode(made).decode()}
                    for key, made in self.signatures
                ],
            }
        )


def pae(kind: str, payload: bytes) -> bytes:
    """Return what is signed: the pre-authentication encoding of type and payload."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def signed(payloads: Sequence[bytes], key: str) -> list[Envelope]:
    """Return each of `payloads` signed by the ssh key; one process for all. Raises as
    `signers.sign`."""
    made = signers.sign_all([pae(INTOTO, payload) for payload in payloads], NAMESPACE, key)
    return [
        Envelope(INTOTO, payload, ((signers.seal(each).fingerprint, each.encode()),))
        for payload, each in zip(payloads, made, strict=True)
    ]


def parse(data: bytes, *, source: str) -> Envelope:
    """Return the envelope in `data`. Raises IntegrityError ("malformed-envelope")."""
    if len(data) > LONGEST:
        raise _malformed(source, f"it has {len(data):,} bytes, {LONGEST:,} are the most")
    return understood(parse_json(data, source=source), source=source)


def understood(value: Any, *, source: str) -> Envelope:
    """Return the envelope that JSON stands for. Raises as `parse`."""
    try:
        kind, signatures = value["payloadType"], value["signatures"]
        if not isinstance(kind, str) or not isinstance(signatures, list):
            raise _malformed(source, "it has no type or no signatures")
        kind.encode()  # JSON has halves of characters, UTF-8 has none
        if not 0 < len(signatures) <= MOST:
            raise _malformed(source, f"it has {len(signatures)} signatures, 1 to {MOST} are taken")
        return Envelope(
            kind,
            _bytes(value["payload"]),
            tuple((str(each.get("keyid", "")), _bytes(each["sig"])) for each in signatures),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise _malformed(source, "a field is missing or of another type") from exc


def check(
    envelope: Envelope, allowed: bytes | str, *, at: datetime, kind: str = INTOTO
) -> tuple[str, ...]:
    """Return the allowed signers who signed: one at least. Other signatures are passed over.

    `keyid` is a hint that nobody vouches for, and is not looked at. Raises, where none counts,
    what is wrong with the first: as `signers.check`; IntegrityError ("wrong-payload-type").
    """
    if envelope.kind != kind:
        raise IntegrityError(
            f"an envelope says that it holds {envelope.kind!r} where {kind!r} is asked",
            code="wrong-payload-type",
            hint="it was made for something else",
        )
    told = pae(envelope.kind, envelope.payload)
    found: dict[str, None] = {}
    wrong: list[MlopsError] = []
    for _, made in envelope.signatures:
        try:
            found[signers.check(told, made.decode("latin-1"), NAMESPACE, allowed, at=at)] = None
        except (IntegrityError, StateRefused) as exc:
            wrong.append(exc)
    if not found:
        raise wrong[0]
    return tuple(found)


def _bytes(text: str) -> bytes:
    """Return what base64 of either alphabet stands for: the specification takes both."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as exc:
        raise ValueError(str(exc)) from exc


def _malformed(source: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{source} is not an envelope: {why}",
        code="malformed-envelope",
        hint="it was damaged or cut off; fetch it again from a clone that is sound",
    )
