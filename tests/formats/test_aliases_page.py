"""docs/formats/aliases.md says what is on the disk."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from mlops_cli.store.alias import Alias, Attached, open_aliases
from mlops_cli.store.digest import Digest

PAGE = (Path(__file__).parents[2] / "docs/formats/aliases.md").read_text()


def test_the_example_of_the_page_is_what_is_written(tmp_path: Path) -> None:
    example = dict(line.split(maxsplit=1) for line in re.findall(r"^[a-z_]+  +\S+$", PAGE, re.M))
    digest = Digest.of(b"hello")
    index = open_aliases(tmp_path)
    index.remember(
        [Alias(example["folder"], example["name"], digest, 5, int(example["mtime_ns"]), True)]
    )
    index.close()

    with sqlite3.connect(tmp_path / "alias.sqlite") as database:
        (row,) = database.execute("SELECT * FROM aliases").fetchall()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        tables = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_master") if sql}

    names = ("folder", "name", "digest", "size", "mtime_ns", "attached")
    found = dict(zip(names, row, strict=True))
    assert {**found, "digest": found["digest"].hex()} == {
        **example, **{name: int(example[name]) for name in ("size", "mtime_ns", "attached")},
    }  # fmt: skip
    assert version == 1
    said = re.sub(r"\s+", " ", PAGE)
    assert all(re.sub(r"\s+", " ", sql) in said for sql in tables)


def test_a_file_that_changed_is_no_object_any_more(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    found = (tmp_path / "a").stat()
    index = open_aliases(tmp_path)
    digest = Digest.of(b"hello")
    index.remember([Alias(str(tmp_path), "a", digest, 5, found.st_mtime_ns, True)])
    tier = Attached(index)
    assert (tier.size(digest), tier.path(digest)) == (5, tmp_path / "a")

    os.utime(tmp_path / "a", ns=(0, found.st_mtime_ns + 1))

    assert (tier.size(digest), tier.open(digest), tier.path(digest)) == (None, None, None)


def test_what_is_only_remembered_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    index = open_aliases(tmp_path)
    mtime = (tmp_path / "a").stat().st_mtime_ns
    index.remember([Alias(str(tmp_path), "a", Digest.of(b"hello"), 5, mtime)])
    assert Attached(index).path(Digest.of(b"hello")) is None


def test_a_damaged_index_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "alias.sqlite").write_bytes(b"no database" * 100)
    index = open_aliases(tmp_path)
    assert index.known("x", "y") is None
    index.remember([Alias("x", "y", Digest.of(b"z"), 1)])
    assert index.known("x", "y") == Alias("x", "y", Digest.of(b"z"), 1)
