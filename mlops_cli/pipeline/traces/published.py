"""The run cache at a remote: entries in a few files, named by their bytes and never changed.

`runs/<64 hex digits>.jsonl` holds one entry a line. What was sent and what came is remembered below
the cache, so that a file is read once and a push with nothing new asks nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import fsio
from mlops_cli.encode import canonical_json
from mlops_cli.pipeline.traces import runcache
from mlops_cli.pipeline.traces.runcache import Seen

if TYPE_CHECKING:
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.store.transfer.remote_index import RemoteIndex

FOLDER = "runs"
SUFFIX = ".jsonl"
MOST = 4 << 20  # bytes of one file
SENT = "runs.sent"  # names of the entries that a remote has from here


def unsent(cache_root: Path, remote_id: str) -> list[str]:
    """Return the names of the entries that the remote was never sent from here; asks nobody."""
    try:
        there = {name for name in os.listdir(cache_root / FOLDER) if name.endswith(".json")}
    except FileNotFoundError:
        return []
    try:
        sent = (_memory(cache_root, remote_id) / SENT).read_text().splitlines()
    except OSError:
        sent = []
    return sorted(there.difference(sent))


def publish(cache: Cache, remote: Remote, index: RemoteIndex) -> int:
    """Send the entries that `remote` was not sent before and whose outputs it has as a whole;
    return how many. What is not there yet waits for a later push."""
    waiting = unsent(cache.root, remote.id)
    found: dict[str, tuple[str, Seen]] = {}
    done: list[str] = []
    for name in waiting:
        try:
            one = runcache.parse((cache.root / FOLDER / name).read_bytes())
        except OSError:
            one = None
        if one is None or one[1].remote:
            done.append(name)  # nothing to read, or it came from a remote
        else:
            found[name] = one
    there = index.complete | _files(index, [seen for _, seen in found.values()])
    going = {
        name: one
        for name, one in found.items()
        if all(out.digest in there for out in one[1].outputs.values())
    }
    for data in _batches(going.values()):
        name = hashlib.sha256(data).hexdigest()
        remote.write(f"{FOLDER}/{name}{SUFFIX}", data, replace=False)
        _keep(cache.root, remote.id, name + SUFFIX, data)
    done += going
    if done:
        place = _memory(cache.root, remote.id) / SENT
        former = place.read_text() if place.exists() else ""
        fsio.write_atomic(place, former + "".join(f"{name}\n" for name in done), durable=False)
    return len(going)


def read(cache: Cache, remote: Remote) -> dict[str, list[Seen]]:
    """Return all that `remote` knows by key; only files that are new here are fetched.

    A file that is not what its name says, and a line that is no entry, are passed over. Raises
    OutsideWorld.
    """
    from mlops_cli.store.transfer.together import at_once

    listed = remote.list(FOLDER)
    names = sorted(name for name in listed if name.endswith(SUFFIX) and "/" not in name)
    folder = _memory(cache.root, remote.id) / FOLDER

    def bring(name: str) -> None:
        data = remote.read(f"{FOLDER}/{name}", 0, max(listed[name], MOST + 1))
        if data is not None and hashlib.sha256(data).hexdigest() == name.removesuffix(SUFFIX):
            _keep(cache.root, remote.id, name, data)

    at_once(remote, [partial(bring, name) for name in names if not (folder / name).exists()])
    found: dict[str, list[Seen]] = {}
    for name in names:
        try:
            lines = (folder / name).read_bytes().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            if one := runcache.parse(line):
                found.setdefault(one[0], []).append(one[1])
    return found


def _files(index: RemoteIndex, seens: Iterable[Seen]) -> set[str]:
    """Return the digests of those outputs that are single files and lie at the remote."""
    from mlops_cli.store.digest import Digest

    files = {out.digest for seen in seens for out in seen.outputs.values() if out.kind == "file"}
    return {str(digest) for digest in index.find(map(Digest, sorted(files)))}


def _batches(entries: Iterable[tuple[str, Seen]]) -> Iterable[bytes]:
    lines: list[bytes] = []
    size = 0
    for key, seen in sorted(entries, key=lambda one: one[0]):
        line = canonical_json(runcache.entry(key, seen)) + b"\n"
        if lines and size + len(line) > MOST:
            yield b"".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield b"".join(lines)


def _keep(cache_root: Path, remote_id: str, name: str, data: bytes) -> None:
    fsio.write_atomic(_memory(cache_root, remote_id) / FOLDER / name, data, durable=False)


def _memory(cache_root: Path, remote_id: str) -> Path:
    from mlops_cli.store.transfer.remote_index import memory

    return memory(cache_root, remote_id)
