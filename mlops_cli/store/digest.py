"""A digest: SHA-256 of raw bytes, always written with its name, never mistaken for a path."""

from __future__ import annotations

import hashlib
import re

from mlops_cli.errors import IntegrityError

PREFIX = "sha256:"
RAW_LENGTH = 32

_SHAPE = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """`sha256:` and 64 lower-case hexadecimal digits; a str, so JSON takes it as it is."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return `text` as a digest. Raises IntegrityError ("bad-digest")."""
        if not isinstance(text, str) or _SHAPE.fullmatch(text) is None:
            raise IntegrityError(
                f"{text!r} is not a digest",
                code="bad-digest",
                hint="a digest is 'sha256:' and 64 lower-case hexadecimal digits",
                details={"digest": str(text)},
            )
        return cls(text)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """Return the digest of `data`."""
        return cls(PREFIX + hashlib.sha256(data).hexdigest())

    @classmethod
    def from_raw(cls, raw: bytes) -> Digest:
        """Return the digest whose 32 bytes are `raw`."""
        return cls(PREFIX + raw.hex())

    @property
    def hex(self) -> str:
        """The 64 digits without the name of the algorithm."""
        return self[len(PREFIX) :]

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return bytes.fromhex(self[len(PREFIX) :])
