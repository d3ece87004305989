"""A remote is read and hashed where it lies, and mended from the cache."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.care.verified import verified
from mlops_cli.store.care.verify_remote import examine
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import check_format, start
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer.fetch import fetch
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, refresh
from mlops_cli.store.transfer.transfer import plan_push, push
from mlops_cli.workspace import verify

NOW = datetime(2013, 1, 31, tzinfo=UTC)


def world(base: Path, *, files: int = 60) -> tuple[Cache, Remote, Root]:
    """A cache whose one folder was pushed: small files and two large ones."""
    chance = random.Random(3)
    for number in range(files):
        place = base / "data" / f"{number % 5}" / f"{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(chance.randbytes(chance.randrange(10, 4000)))
    for number in range(2):
        (base / "data" / f"large{number}").write_bytes(chance.randbytes(3_000_000))
    cache = open_cache(base / "cache")
    found = ingest(base / "data", cache=cache)
    root = Root("data", found.digest, found.kind, found.size, found.files)
    remote = open_remote(f"file://{base}/remote", root=base)
    start(remote, check_format(remote, required=False))
    push(plan_push(cache, look(cache, remote), [root]), cache, remote, look(cache, remote))
    return cache, remote, root


def look(cache: Cache, remote: Remote) -> RemoteIndex:
    return refresh(remote, memory(cache.root, remote.id), now=NOW, thorough=True)


def there(
    cache: Cache, remote: Remote, root: Root, *, mending: bool = False, extent: Extent | None = None
) -> verify.Verdict:
    return verify.there(cache, remote, [root], extent=extent or Extent(), mending=mending, now=NOW)


def largest(base: Path) -> Path:
    files = [path for path in (base / "remote").rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def flip(path: Path, *places: int) -> None:
    data = bytearray(path.read_bytes())
    for at in places:
        data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def pulls(base: Path, remote: Remote, root: Root) -> None:
    """Whoever comes anew gets everything."""
    shutil.rmtree(base / "other", ignore_errors=True)
    other = open_cache(base / "other")
    fetch(other, remote, look(other, remote), [root])
    for digest in closure(other, [root]).objects:
        other.read(digest)


def test_a_sound_remote_is_said_to_be_so_and_that_is_remembered(tmp_path: Path) -> None:
    cache, remote, root = world(tmp_path)
    needed = set(closure(cache, [root]).objects)
    for level in ("metadata", "sizes"):
        report = there(cache, remote, root, extent=Extent(level)).report
        assert report.clean and report.bytes == 0
    folder = memory(cache.root, remote.id)
    assert verified(folder).holds(needed) == set()

    report = there(cache, remote, root).report

    assert report.clean and report.complete and report.bytes > 6_000_000
    assert verified(folder).holds(needed) == needed


def test_each_flipped_byte_is_found_named_by_path_and_mended(tmp_path: Path) -> None:
    cache, remote, root = world(tmp_path)
    for file in sorted((tmp_path / "remote").rglob("*")):
        if not file.is_file() or file.name == "format.json":
            continue
        flip(file, file.stat().st_size // 2, file.stat().st_size - 1)
        verdict = there(cache, remote, root)
        assert not verdict.report.clean, file
        assert all(one.paths for one in verdict.report.damaged), file
        folder = memory(cache.root, remote.id)
        needed = set(closure(cache, [root]).objects)
        assert verified(folder).holds(needed) < needed

        mended = there(cache, remote, root, mending=True)

        assert mended.report.clean, (file, mended)
        assert there(cache, remote, root).report.clean, file
        pulls(tmp_path, remote, root)


def test_what_was_lost_over_there_is_named_and_sent_again(tmp_path: Path) -> None:
    cache, remote, root = world(tmp_path)
    for folder in ("packs", "objects", "recipes"):
        for file in sorted((tmp_path / "remote" / folder).rglob("*")):
            if not file.is_file():
                continue
            file.unlink()
            report = there(cache, remote, root, extent=Extent("metadata")).report
            assert report.flaws and (report.missing or report.damaged), file
            assert there(cache, remote, root, mending=True).report.clean, file
            pulls(tmp_path, remote, root)


def test_without_a_good_copy_here_nothing_is_written_over_there(tmp_path: Path) -> None:
    _, remote, root = world(tmp_path)
    file = largest(tmp_path)
    flip(file, file.stat().st_size // 2)
    former = file.read_bytes()
    empty = open_cache(tmp_path / "empty")

    verdict = there(empty, remote, root, mending=True)

    assert not verdict.report.clean and not verdict.mended
    assert file.read_bytes() == former


def test_what_was_never_pushed_is_no_damage(tmp_path: Path) -> None:
    cache, remote, root = world(tmp_path)
    more = cache.put(b"not pushed")
    verdict = verify.there(
        cache, remote, [root, Root("more", more, "file", 10, 1)],
        extent=Extent(), mending=True, now=NOW,
    )  # fmt: skip
    assert verdict.report.clean
    assert not look(cache, remote).find([more])


def test_samples_and_pauses_see_all_of_a_remote_in_the_end(tmp_path: Path) -> None:
    cache, remote, root = world(tmp_path)
    units = len(look(cache, remote).names)
    assert units >= 2
    for _ in range(units):
        there(cache, remote, root, extent=Extent(share=1e-9))
    folder, needed = memory(cache.root, remote.id), set(closure(cache, [root]).objects)
    assert verified(folder).holds(needed) == needed


@pytest.mark.parametrize("level", ["metadata", "bytes"])
def test_a_listing_that_is_not_here_comes_from_the_remote(tmp_path: Path, level: str) -> None:
    _, remote, root = world(tmp_path)
    other = open_cache(tmp_path / "other")
    report = there(other, remote, root, extent=Extent(level)).report  # type: ignore[arg-type]
    assert report.clean and other.has(root.digest)


def test_one_index_file_can_be_verified_with_all_that_its_recipes_rely_upon(
    tmp_path: Path,
) -> None:
    cache, remote, root = world(tmp_path)
    index = look(cache, remote)
    large = [part for part in closure(cache, [root]).objects.values() if part.size > 1 << 20]
    (name,) = {one for one in index.names if not one.endswith(".idx")}

    examine(remote, index, name, now=NOW)

    wanted = {part.digest for part in large}
    assert verified(index.folder).holds(wanted) == wanted
