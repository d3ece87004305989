"""Tracked data as a file system: any revision, any repository, and never a byte unverified."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from makers import add, commit, git, maker, project, repository, write

from mlops_cli import api
from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest
from mlops_cli.store.served import serve


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


def url(root: Path) -> str:
    return f"file://{root}"


def test_a_repository_elsewhere_is_walked_without_fetching_its_data(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    files = api.filesystem(url(source))
    assert files.ls("", detail=False) == [".gitignore", "README.md", "big.bin", "data", "src"]
    assert files.ls("mlops://data/deep", detail=False) == [f"data/deep/{n}.csv" for n in range(5)]
    assert files.glob("data/**/*.csv") == [*files.ls("data/deep", detail=False), "data/top.csv"]
    assert files.find("src") == ["src/a.py", "src/b.txt"]
    assert [name for name, _, _ in files.walk("data")] == ["data", "data/deep"]
    assert files.info("big.bin")["size"] == files.size("big.bin") == 2 << 20
    assert files.isdir("data/deep") and files.isfile("src/a.py") and files.info("src/b.txt")["size"]
    assert not files.exists("none") and not files.exists("data/none") and not files.exists("../x")
    kept = list((tmp_path / "home/.cache/mlops/objects").rglob("*"))
    assert sum(path.stat().st_size for path in kept if path.is_file()) < 10_000


def test_it_reads_any_revision_and_what_git_keeps(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    first = git(source, "rev-parse", "HEAD")
    write(source, {"data/top.csv": "new\n", "src/b.txt": "new\n"})
    add(source, "data")
    commit(source)
    before, after = api.filesystem(url(source), rev=first[:9]), api.filesystem(url(source))
    assert before.cat_file("data/top.csv") == b"top\n" and before.cat_file("src/b.txt") == b"b\n"
    assert after.cat_file("data/top.csv") == after.cat_file("src/b.txt") == b"new\n"
    assert before.checksum("data/top.csv") != after.checksum("data/top.csv")
    assert before.fsid != after.fsid
    # the repository of a folder: its work tree when no revision is named
    assert api.read("data/top.csv", repo=source) == b"new\n"
    assert api.read("data/top.csv", repo=source, rev="HEAD~1") == b"top\n"
    with api.open("data/top.csv", repo=url(source), rev=first, mode="r") as text:
        assert text.read() == "top\n"


def test_what_others_read_through_the_protocol(tmp_path: Path) -> None:
    source = repository(tmp_path / "maker")
    table = pa.table({"n": range(300_000), "half": [n / 2 for n in range(300_000)]})
    for month in (1, 2):
        (source / f"data/month={month}").mkdir(parents=True)
        pq.write_table(table, source / f"data/month={month}/part.parquet")
    add(source, "data")
    commit(source)
    files = api.filesystem(url(source))
    assert pq.read_table("data/month=1/part.parquet", filesystem=files).equals(table)
    assert pq.read_table("data", filesystem=files, columns=["n", "month"]).num_rows == 600_000
    with fsspec.open("mlops://data/month=2/part.parquet", repo=url(source)) as stream:
        assert pq.read_metadata(stream).num_rows == 300_000
    handler = fsspec.filesystem("mlops", repo=str(source), rev="main")
    assert handler.cat_file("data/month=1/part.parquet", start=0, end=4) == b"PAR1"
    assert handler.cat_file("data/month=1/part.parquet", start=-4) == b"PAR1"


def test_it_writes_nothing_and_names_what_is_not_there(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    files = api.filesystem(source)
    with pytest.raises(OSError, match="read-only"):
        files.open("data/top.csv", "wb")
    with pytest.raises(FileNotFoundError, match="is not tracked"):
        files.open("data/none.csv")
    with pytest.raises(IsADirectoryError):
        files.open("data")
    with pytest.raises(api.MlopsError, match="mode 'w'"):
        api.open("data/top.csv", repo=source, mode="w")
    with pytest.raises(api.MlopsError, match="no revision 'none'"):
        api.read("data/top.csv", repo=url(source), rev="none")


def test_a_link_is_followed_inside_the_repository_and_never_out(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    (source / "data/near").symlink_to("deep/3.csv")
    (source / "data/far").symlink_to("../../../etc/passwd")
    (source / "data/round").symlink_to("round")
    add(source, "data")
    commit(source)
    files = api.filesystem(url(source))
    assert files.cat_file("data/near") == b"3\n"
    for name in ("data/far", "data/round"):
        with pytest.raises((FileNotFoundError, api.MlopsError)):
            files.cat_file(name)


def test_data_that_is_not_here_is_fetched_when_it_is_read(tmp_path: Path, mlops: Any) -> None:
    source = maker(tmp_path / "maker")
    mlops("remote", "add", "origin", "../store", cwd=source, code=0)
    commit(source)
    mlops("push", cwd=source, code=0)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(source), str(clone))
    assert api.read("data/deep/2.csv", repo=clone) == b"2\n"
    (clone / "data.mlops").write_text((clone / "data.mlops").read_text())
    shutil.rmtree(tmp_path / "store")
    assert api.read("data/deep/2.csv", repo=clone) == b"2\n", "it is here now"
    with pytest.raises(api.MlopsError) as caught:
        api.read("big.bin", repo=clone)
    assert caught.value.hint


def damaged(source: Path) -> tuple[Any, Digest, bytes]:
    cache = project(source).cache
    digest = Digest.of((source / "big.bin").read_bytes())
    path = cache.objects.path(digest)
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-1] + b"!")
    return cache, digest, data


def test_a_damaged_object_is_told_at_the_end_of_a_stream(tmp_path: Path) -> None:
    cache, digest, data = damaged(maker(tmp_path / "maker"))
    with serve(cache, digest) as stream, pytest.raises(IntegrityError):
        stream.read(len(data))  # exactly all of it, so that nobody asks for more


def test_a_damaged_object_serves_no_byte_to_who_moves_about(tmp_path: Path) -> None:
    cache, digest, _ = damaged(maker(tmp_path / "maker"))
    with serve(cache, digest) as stream:
        stream.seek(1 << 20)
        with pytest.raises(IntegrityError):
            stream.read(1)


def test_moving_about_gives_the_same_bytes_as_a_plain_file(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    cache = project(source).cache
    digest = Digest.of((source / "big.bin").read_bytes())
    with serve(cache, digest) as stream, (source / "big.bin").open("rb") as plain:
        for offset, whence, size in (
            (0, os.SEEK_SET, 100), (50, os.SEEK_CUR, 70), (-5, os.SEEK_END, 9), (3, os.SEEK_SET, -1)
        ):  # fmt: skip
            assert stream.seek(offset, whence) == plain.seek(offset, whence)
            assert stream.read(size) == plain.read(size)
            assert stream.tell() == plain.tell()
