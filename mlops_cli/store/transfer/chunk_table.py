"""Where on a remote each chunk lies: asked thousands of times a second, of millions of them."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from mlops_cli.store import pack_index
from mlops_cli.store.transfer.remote_index import PACKED, RemoteIndex, Spot, pack_name

_KEY = Struct(f">Q{pack_index.ROW.size - 8}x")  # the first bytes of a digest tell nearly all apart


class _File(NamedTuple):
    name: str
    starts: list[int]  # where in it each index begins
    places: list[str]  # and where its pack lies


@dataclass(slots=True)
class ChunkTable:
    """What the index files of packs say, in sixteen bytes for each row; see `chunk_table`."""

    index: RemoteIndex
    files: list[_File]
    keys: array[int]  # the first eight bytes of each digest, sorted
    rows: array[int]  # file and place in the file of each row
    _last: tuple[int, bytes] = field(default=(-1, b""))

    def spots(self, raw: bytes) -> list[Spot]:
        """Return where the chunk lies; nowhere, or at several places."""
        key = int.from_bytes(raw[:8], "big")
        found = []
        for at in range(bisect_left(self.keys, key), bisect_right(self.keys, key)):
            number, start = self.rows[at] >> 32, self.rows[at] & 0xFFFFFFFF
            file = self.files[number]
            if self._last[0] != number:  # neighbours are asked for together
                self._last = (number, self.index.read(file.name))
            found_raw, offset, length = pack_index.ROW.unpack_from(self._last[1], start)
            if found_raw == raw:
                place = file.places[bisect_right(file.starts, start) - 1]
                found.append(Spot(place, offset, length))
        return found


def chunk_table(index: RemoteIndex) -> ChunkTable:
    """Return where everything lies that `index` knows to be in packs."""
    files: list[_File] = []
    rows: list[int] = []
    for name in sorted(index.names):
        if not name.endswith(PACKED):
            continue
        data = index.read(name)
        file = _File(name, [], [])
        for start, end in pack_index.indices(data):
            place = pack_name(pack_index.index_name(data[start:end]))
            if place in index.gone:
                continue
            file.starts.append(start)
            file.places.append(place)
            first = start + pack_index.INDEX_START
            of_file = len(files) << 32
            for at, (key,) in enumerate(_KEY.iter_unpack(memoryview(data)[first:end])):
                rows.append(key << 64 | of_file | (first + at * pack_index.ROW.size))
        files.append(file)
    rows.sort()
    low = (1 << 64) - 1
    return ChunkTable(
        index,
        files,
        array("Q", [row >> 64 for row in rows]),
        array("Q", [row & low for row in rows]),
    )
