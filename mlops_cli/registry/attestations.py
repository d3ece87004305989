"""The signed statements of a bundle, one envelope a line: the model first, then each run.

https://github.com/in-toto/attestation/blob/main/spec/v1/bundle.md
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import envelope
from mlops_cli.registry.envelope import Envelope

FILE = "attestations.intoto.jsonl"
MOST = 10_000  # lines; a graph has some hundred steps
LONGEST = 64 * 1024 * 1024


def signed(statements: Sequence[bytes], key: str) -> bytes:
    """Return the file with each of `statements` signed by the ssh key. Raises as `signers.sign`."""
    return b"".join(each.data + b"\n" for each in envelope.signed(statements, key))


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
