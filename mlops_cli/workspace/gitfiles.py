"""Files that git keeps in another repository, into our cache; many small ones at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, Mode
from mlops_cli.vcs import objects
from mlops_cli.vcs.answer import failed
from mlops_cli.workspace.foreign import Foreign, GitFile

BATCH = 32 << 20  # bytes of files that are in memory at once
MODES: dict[str, Mode] = {"100755": "exec", "120000": "link"}


def store_files(foreign: Foreign, files: Sequence[GitFile], cache: Cache) -> dict[str, Entry]:
    """Bring files that git keeps into our cache and return what each is, by path."""
    foreign.at.bring(file.id for file in files)
    git = foreign.at.git
    asked = "".join(f"{file.id}\n" for file in files)
    sizes = git.run("cat-file", "--batch-check=%(objectsize)", input=asked).split()
    found: dict[str, Entry] = {}
    with cache.writer() as writer:
        for batch in _batches(list(zip(files, map(int, sizes), strict=True))):
            for file, blob in zip(
                batch, objects.read(git, [file.id for file in batch]), strict=True
            ):
                data = blob.data if blob is not None else b""
                found[file.path] = _entry(file, writer.put(data), len(data))
    for file, size in zip(files, map(int, sizes), strict=True):
        if size >= PACK_BELOW:
            found[file.path] = _entry(file, _poured(foreign, file, cache), size)
    return found


def _batches(files: list[tuple[GitFile, int]]) -> Iterator[list[GitFile]]:
    batch: list[GitFile] = []
    volume = 0
    for file, size in files:
        if size >= PACK_BELOW:
            continue
        batch.append(file)
        volume += size
        if volume >= BATCH:
            yield batch
            batch, volume = [], 0
    if batch:
        yield batch


def _poured(foreign: Foreign, file: GitFile, cache: Cache) -> Digest:
    with cache.objects.temporary() as temporary:
        with temporary.open("wb") as target:
            said = foreign.at.git.call("cat-file", "blob", file.id, into=target)
        if said.code != 0:
            raise failed(("cat-file", "blob", file.id), said)
        return cache.put_file(temporary)


def _entry(file: GitFile, digest: Digest, size: int) -> Entry:
    return Entry("", MODES.get(file.mode, "file"), digest, size)
