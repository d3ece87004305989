"""The wire format of protobuf, read field by field where it lies; nothing is copied or made.

https://protobuf.dev/programming-guides/encoding/ A model of gigabytes costs what its structure
costs: what is as long as it says is stepped over, and whatever is not ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

Bytes = bytes | mmap

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MOST_FIELDS = 20_000_000  # so a file of two-byte fields does not keep us for an hour
NAME = 1024  # bytes of a name; what exporters make is shorter


class Malformed(Exception):
    """The bytes are not what they should be; says what is wrong and, by `code`, which kind."""

    def __init__(self, why: str, code: str = "malformed-model") -> None:
        super().__init__(why)
        self.why, self.code = why, code


class Reader:
    """A file of protobuf; counts the fields that were read of it."""

    def __init__(self, data: Bytes, size: int) -> None:
        self.data, self.size = data, size
        self._left = MOST_FIELDS

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (number, wire type, a, b) of a message in [start, end).

        For VARINT a is the value; for the others [a, b) is where the bytes lie. Raises Malformed.
        """
        data, at = self.data, start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Malformed(f"it has more than {MOST_FIELDS:,} fields", "too-many-fields")
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise Malformed(f"a field without a number at byte {at}")
            if wire == VARINT:
                value, at = (
                    (data[at], at + 1) if at < end and data[at] < 128 else self._varint(at, end)
                )
                yield number, wire, value, at
                continue
            if wire == LENGTH:
                length, at = self._varint(at, end)
            elif wire in (FIXED64, FIXED32):
                length = 8 if wire == FIXED64 else 4
            else:
                raise Malformed(f"a field of the wire type {wire} at byte {at}")
            if length > end - at:
                raise Malformed(
                    f"a field at byte {at} says it has {length:,} bytes, {end - at:,} are there"
                )
            yield number, wire, at, at + length
            at += length

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF, at
            shift += 7
        raise Malformed(f"the file ends inside a number at byte {at}" if at >= end else
                        f"a number of more than ten bytes at byte {at}")  # fmt: skip

    def name(self, start: int, end: int, what: str) -> str:
        """Return the text in [start, end). Raises Malformed ("name-too-long") before reading it."""
        if end - start > NAME:
            raise Malformed(
                f"the name of {what} has {end - start:,} bytes, {NAME:,} are allowed",
                "name-too-long",
            )
        try:
            return self.data[start:end].decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"the name of {what} at byte {start} is not UTF-8") from None

    def integers(self, wire: int, a: int, b: int, *, most: int, what: str) -> list[int]:
        """Return the signed integers of a repeated field, packed or one by one, at most `most`."""
        if wire == VARINT:
            return [signed(a)]
        if wire != LENGTH:
            raise Malformed(f"{what} is no list of integers")
        found: list[int] = []
        while a < b:
            value, a = self._varint(a, b)
            found.append(signed(value))
            if len(found) > most:
                raise Malformed(f"{what} has more than {most:,} numbers")
        return found


def signed(value: int) -> int:
    """Return a varint as the int64 that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value
