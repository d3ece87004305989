"""From the workspace into the store: what is kept, what is refused, what is not read twice."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files import reading
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.worker import Reader
from mlops_cli.store.statcache import TICK, StatCache
from mlops_cli.store.tree import parse_tree


def small_world(folder: Path) -> Path:
    (folder / "empty").mkdir(parents=True)
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/file.txt").write_text("deep")
    (folder / "plain.txt").write_text("plain")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("plain.txt")
    (folder / "dangling").symlink_to("/nowhere/at/all")
    (folder / "größe – 大きさ.txt").write_text("unicode")
    (folder / "new\nline").write_text("odd")
    return folder


def age(folder: Path) -> int:
    """Return a stamp at which nothing in `folder` is racy any more."""
    every = [folder, *folder.rglob("*")]
    return max(path.lstat().st_ctime_ns for path in every) + 10 * TICK


class OldStats(StatCache):
    """A stat cache whose disk's clock has moved on since the files were written."""

    def clock(self) -> int:
        return super().clock() + 10_000_000_000


def test_a_folder_becomes_a_tree_with_modes_links_and_empty_folders(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    cache = open_cache(tmp_path / "cache")
    stored = ingest(data, cache=cache)
    entries = {entry.name: entry for entry in parse_tree(cache.read(stored.digest))}
    assert {name: entry.mode for name, entry in entries.items()} == {
        "empty": "dir",
        "deep": "dir",
        "plain.txt": "file",
        "run.sh": "exec",
        "link": "link",
        "dangling": "link",
        "größe – 大きさ.txt": "file",
        "new\nline": "file",
    }
    assert cache.read(entries["dangling"].digest) == b"/nowhere/at/all"
    assert parse_tree(cache.read(entries["empty"].digest)) == ()
    assert (entries["deep"].size, entries["deep"].files) == (4, 1)
    assert (stored.kind, stored.files) == ("tree", 7)
    assert stored.size == sum(entry.size for entry in entries.values())


def test_a_file_is_its_own_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    stored = ingest(tmp_path / "file", cache=open_cache(tmp_path / "cache"))
    assert (stored.digest, stored.kind, stored.size, stored.files) == (
        Digest.of(b"hello"),
        "file",
        5,
        1,
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_fingerprint_says_what_ingest_says_and_stores_nothing(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PROCESSES_FROM", 5)
    data = small_world(tmp_path / "data")
    for number in range(700):
        (data / "deep" / f"{number}").write_bytes(b"%d" % number)
    (data / "large").write_bytes(os.urandom(300_000))
    (data / "larger").write_bytes(os.urandom(9 << 20))
    seen = fingerprint(data, jobs=jobs)
    assert not (tmp_path / "cache").exists()
    cache = open_cache(tmp_path / "cache")
    assert ingest(data, cache=cache, jobs=jobs) == seen
    assert all(cache.read(digest) for digest in cache.iterate() if cache.size(digest))


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    stats = OldStats(tmp_path / "stat.sqlite")
    first = fingerprint(data, stats=stats)
    found = (data / "plain.txt").lstat()
    # same length, same times: what only a broken clock can do shows that no byte was read
    original = (data / "plain.txt").read_bytes()
    assert fingerprint(data, stats=OldStats(tmp_path / "stat.sqlite")) == first
    assert stats.lookup(data / "plain.txt", found) == Digest.of(original)


@pytest.mark.parametrize("where", ["plain.txt", "deep/er/file.txt"])
def test_a_change_of_one_file_is_seen(tmp_path: Path, where: str) -> None:
    data = small_world(tmp_path / "data")
    stats = OldStats(tmp_path / "stat.sqlite")
    first = fingerprint(data, stats=stats)
    text = (data / where).read_text()
    (data / where).write_text(text[::-1])  # the same length
    second = fingerprint(data, stats=stats)
    assert second != first
    assert second == fingerprint(data)


def test_new_gone_and_renamed_files_and_folders_are_seen(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    stats = OldStats(tmp_path / "stat.sqlite")
    seen = {fingerprint(data, stats=stats).digest}
    for change in (
        lambda: (data / "deep/er/new").write_text("new"),
        lambda: (data / "plain.txt").rename(data / "renamed.txt"),
        lambda: (data / "renamed.txt").chmod(0o755),
        (data / "link").unlink,
        lambda: (data / "link").symlink_to("elsewhere"),
        (data / "empty/er").mkdir,
    ):
        change()
        now = fingerprint(data, stats=stats)
        assert now == fingerprint(data)
        assert now.digest not in seen
        seen.add(now.digest)


def test_a_file_that_is_too_young_is_read_again(tmp_path: Path) -> None:
    class Young(StatCache):
        def clock(self) -> int:
            return (tmp_path / "file").lstat().st_mtime_ns

    (tmp_path / "file").write_bytes(b"one")
    found = (tmp_path / "file").lstat()
    stats = Young(tmp_path / "cache/stat.sqlite")
    fingerprint(tmp_path / "file", stats=stats)
    assert stats.lookup(tmp_path / "file", found) is None
    fingerprint(tmp_path / "file", stats=OldStats(tmp_path / "cache/stat.sqlite"))
    assert stats.lookup(tmp_path / "file", found) == Digest.of(b"one")


def test_what_the_stat_cache_knows_is_still_stored_when_the_cache_lacks_it(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    stats = OldStats(tmp_path / "stat.sqlite")
    ingest(data, cache=open_cache(tmp_path / "one"), stats=stats)
    other = open_cache(tmp_path / "two")
    stored = ingest(data, cache=other, stats=stats)
    assert other.missing(open_cache(tmp_path / "one").iterate()) == set()
    assert parse_tree(other.read(stored.digest))


@pytest.mark.parametrize("damage", ["garbage", "gone", "folder"])
def test_a_damaged_stat_cache_is_only_slower(tmp_path: Path, damage: str) -> None:
    data = small_world(tmp_path / "data")
    path = tmp_path / "stat.sqlite"
    before = fingerprint(data, stats=OldStats(path))
    for name in ("stat.sqlite-wal", "stat.sqlite-shm", "stat.sqlite"):
        (tmp_path / name).unlink(missing_ok=True)
    if damage == "garbage":
        path.write_bytes(b"this is not a database, however long one looks at it" * 100)
    elif damage == "folder":
        path.mkdir()
    assert fingerprint(data, stats=OldStats(path)) == before
    assert fingerprint(data, stats=OldStats(path)) == before


def test_threads_and_processes_may_share_a_stat_cache(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    before = fingerprint(data)
    shared, other = OldStats(tmp_path / "stat.sqlite"), OldStats(tmp_path / "stat.sqlite")
    seen: list[bool] = []

    def look(stats: StatCache) -> None:
        for _ in range(10):
            (data / "plain.txt").touch()
            seen.append(fingerprint(data, stats=stats) == before)

    threads = [threading.Thread(target=look, args=[s]) for s in (shared, shared, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 30


def test_what_is_ignored_is_neither_stored_nor_counted(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    asked: set[tuple[str, bool]] = set()

    def ignored(path: str, folder: bool) -> bool:
        asked.add((path, folder))
        return path in {"deep/er", "plain.txt"}

    stored = ingest(data, cache=open_cache(tmp_path / "cache"), ignored=ignored)
    assert stored.files == 5
    assert {("deep", True), ("deep/er", True), ("plain.txt", False)} <= asked
    assert ("deep/er/file.txt", False) not in asked


def test_scratch_of_a_killed_checkout_is_no_data(tmp_path: Path) -> None:
    data = small_world(tmp_path / "data")
    before = fingerprint(data)
    (data / ".tmp-mlops-1-abcdef").write_text("half")
    assert fingerprint(data) == before


def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with open(os.fsencode(tmp_path / "data") + b"/caf\xe9", "wb"):
        pass
    with pytest.raises(StateRefused) as caught:
        fingerprint(tmp_path / "data")
    assert caught.value.code == "name-not-utf8"
    caught.value.message.encode()  # can be shown
    assert "udce9" in caught.value.message


def test_a_git_folder_inside_the_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data/.git").mkdir(parents=True)
    with pytest.raises(StateRefused) as caught:
        ingest(tmp_path / "data", cache=open_cache(tmp_path / "cache"))
    assert caught.value.code == "reserved-name"
    assert "mlopsignore" in str(caught.value.hint)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data/pipe")
    with pytest.raises(StateRefused) as caught:
        fingerprint(tmp_path / "data")
    assert caught.value.code == "special-file"


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        ingest(tmp_path / "nothing", cache=open_cache(tmp_path / "cache"))
    assert caught.value.code == "missing-path"


def test_a_link_as_the_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(StateRefused) as caught:
        fingerprint(tmp_path / "link")
    assert caught.value.code == "is-a-link"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    (tmp_path / "file").write_bytes(b"12345")
    with cache.writer() as writer, pytest.raises(StateRefused) as caught:
        Reader(writer).take(str(tmp_path), ["file"], [4])
    assert caught.value.code == "file-changed"


def test_what_is_refused_after_others_were_read_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PROCESSES_FROM", 2)
    data, read = tmp_path / "data", []
    for folder in ("refused", "right"):
        (data / folder).mkdir(parents=True)
        for number in range(5):
            (data / folder / str(number)).write_text(f"{folder} {number}")
    os.mkfifo(data / "refused/pipe")
    take = reading.Reading.take
    monkeypatch.setattr(
        reading.Reading,
        "take",
        lambda self, folder: (read.append(folder.inside), take(self, folder)),
    )

    with pytest.raises(StateRefused) as caught:
        ingest(data, cache=open_cache(tmp_path / "cache"), jobs=2)

    assert caught.value.code == "special-file"
    assert "right/" in read  # while its neighbour was still to be looked at
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["gc.lock"]
