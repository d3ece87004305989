"""The signed statements of a bundle, one envelope a line: the model first, then each run.

https://github.com/in-toto/attestation/blob/main/spec/v1/bundle.md
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import envelope, signers
from mlops_cli.registry.envelope import INTOTO, Envelope

FILE = "attestations.intoto.jsonl"
MOST = 10_000  # lines; a graph has some hundred steps
LONGEST = 64 * 1024 * 1024


def signed(statements: Sequence[bytes], key: str) -> bytes:
    """Return the file with each of `statements` signed by the ssh key; one process for all."""
    made = signers.sign_all(
        [envelope.pae(INTOTO, payload) for payload in statements], envelope.NAMESPACE, key
    )
    return b"".join(
        Envelope(INTOTO, payload, ((signers.seal(each).fingerprint, each.encode()),)).data + b"\n"
        for payload, each in zip(statements, made, strict=True)
    )


def parse(data: bytes) -> list[Envelope]:
    """Return the envelopes in the file. Raises IntegrityError ("malformed-envelope")."""
    lines = data.splitlines()
    if not lines or len(lines) > MOST:
        raise IntegrityError(
            f"{FILE} holds {len(lines):,} envelopes, 1 to {MOST:,} are taken",
            code="malformed-envelope",
            hint="register the model again",
        )
    return [
        envelope.parse(line, source=f"{FILE}:{number}")
        for number, line in enumerate(lines, start=1)
    ]
