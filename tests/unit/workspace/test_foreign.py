"""Other repositories: only what is asked for comes, verified, from wherever it can be had."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from makers import add, commit, git, maker, project, reach, repository, write

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, StateRefused
from mlops_cli.store.closure import closure
from mlops_cli.store.tree import parse_tree
from mlops_cli.workspace.reach import Reach
from mlops_cli.workspace.tracked import Tracked, tracked


def objects(there: Reach) -> int:
    return len(list(there.cache.iterate()))


def test_a_tracked_file_comes_with_its_mode_and_nothing_else(tmp_path: Path) -> None:
    maker(tmp_path / "maker")
    there = reach(tmp_path)
    taken, pin, stale = there.git("maker", "big.bin", None)
    assert there.cache.read(taken.digest) == (tmp_path / "maker/big.bin").read_bytes()
    assert (taken.kind, taken.size, taken.executable, stale) == ("file", 2 << 20, True, "")
    assert objects(there) == 1 and pin.commit == git(tmp_path / "maker", "rev-parse", "HEAD")


def test_a_path_inside_a_tree_brings_the_listings_on_the_way_and_itself(tmp_path: Path) -> None:
    maker(tmp_path / "maker")
    there = reach(tmp_path)
    taken, _, _ = there.git("maker", "data/deep/3.csv", None)
    assert there.cache.read(taken.digest) == b"3\n"
    assert objects(there) == 3  # data, data/deep, the file
    folder, _, _ = reach(tmp_path / "other").git(str(tmp_path / "maker"), "data/deep", "main")
    assert (folder.kind, folder.files, folder.size) == ("tree", 5, 10)


def test_files_of_git_and_mixed_folders_come_too(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    write(source, {"mixed/plain.txt": "plain", "mixed/data/1": "1"})
    (source / "mixed/link").symlink_to("plain.txt")
    add(source, "mixed/data")
    commit(source)
    there = reach(tmp_path)
    plain, _, _ = there.git("maker", "src/a.py", None)
    assert there.cache.read(plain.digest) == b"print(1)\n" and plain.executable
    mixed, _, _ = there.git("maker", "mixed", None)
    entries = {entry.name: entry for entry in parse_tree(there.cache.read(mixed.digest))}
    assert {name: entry.mode for name, entry in entries.items()} == {
        ".gitignore": "file",
        "data": "dir",
        "link": "link",
        "plain.txt": "file",
    }
    every, _, _ = there.git("maker", ".", None)
    assert every.files == 6 + 1 + 3 + 4 + 1  # data, big.bin, files of git, mixed, .gitignore
    assert not closure(there.cache, [Tracked("", every.digest, "tree", 0, 0, "").root]).absent


def test_a_large_file_of_git_is_not_read_into_memory(tmp_path: Path) -> None:
    source = repository(tmp_path / "maker")
    write(source, {"large": bytes(3 << 20)})
    commit(source)
    there = reach(tmp_path)
    taken, _, _ = there.git("maker", "large", None)
    assert taken.size == there.cache.size(taken.digest) == 3 << 20


def test_data_comes_from_the_remote_where_it_is_not_on_this_disk(
    tmp_path: Path, mlops: Any
) -> None:
    source = maker(tmp_path / "maker")
    mlops("remote", "add", "origin", "../store", cwd=source, code=0)
    commit(source)
    mlops("push", cwd=source, code=0)
    shutil.rmtree(source / ".mlops/cache")
    there = reach(tmp_path)
    taken, _, _ = there.git("maker", "data/deep/3.csv", None)
    assert there.cache.read(taken.digest) == b"3\n" and objects(there) == 3
    # also from a bare clone, beside which the relative remote is the same folder
    git(tmp_path, "clone", "-q", "--bare", str(source), str(tmp_path / "bare.git"))
    other = reach(tmp_path / "other")
    whole, _, _ = other.git(str(tmp_path / "bare.git"), "data", None)
    assert whole.files == 6 and objects(other) == 8


def test_wrong_bytes_of_their_cache_are_never_taken(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    theirs = project(source).cache
    (large,) = [one.digest for one in tracked(source, project(source).git) if one.kind == "file"]
    path = theirs.objects.path(large)
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    there = reach(tmp_path)
    with pytest.raises(MlopsError) as caught:
        there.git("maker", "big.bin", None)
    assert caught.value.code == "no-remote"  # the only other place to ask
    assert not there.cache.has(large)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("none", "missing-path"),
        ("data/none.csv", "missing-path"),
        ("big.bin/x", "missing-path"),
        ("../x", "missing-path"),
        ("/etc/passwd", "missing-path"),
        ("data.mlops", "missing-path"),
    ],
)
def test_a_path_that_is_not_there_is_named(tmp_path: Path, path: str, code: str) -> None:
    maker(tmp_path / "maker")
    with pytest.raises(NotFound) as caught:
        reach(tmp_path).git("maker", path, None)
    assert caught.value.code == code and path in caught.value.message and caught.value.hint


def test_a_link_by_itself_is_refused(tmp_path: Path) -> None:
    source = repository(tmp_path / "maker")
    (source / "link").symlink_to("/etc/passwd")
    commit(source)
    with pytest.raises(StateRefused, match="is a link there"):
        reach(tmp_path).git("maker", "link", None)


def test_a_hostile_tree_of_git_names_nothing_outside(tmp_path: Path) -> None:
    source = repository(tmp_path / "maker")
    blob = git(source, "hash-object", "-w", "/dev/null")
    made = subprocess.run(
        ["git", "mktree"], cwd=source, input=f"100644 blob {blob}\t..\n", text=True,
        capture_output=True,
    )  # fmt: skip
    inner = made.stdout.strip()
    outer = subprocess.run(
        ["git", "mktree"], cwd=source, input=f"040000 tree {inner}\tfolder\n", text=True,
        capture_output=True, check=True,
    ).stdout.strip()  # fmt: skip
    git(source, "update-ref", "refs/heads/main", git(source, "commit-tree", "-m", "x", outer))
    with pytest.raises(MlopsError) as caught:
        reach(tmp_path).git("maker", "folder", None)
    assert caught.value.code == "reserved-name"


def test_a_remote_on_another_machine_is_out_of_reach_and_says_so(
    tmp_path: Path, mlops: Any
) -> None:
    source = maker(tmp_path / "maker")
    mlops("remote", "add", "origin", "../store", cwd=source, code=0)
    commit(source)
    there = reach(tmp_path)
    found, supply = there.open("maker", None)
    supply.root = supply.beside = None  # as for a repository behind ssh://
    with pytest.raises(NotFound, match="on the machine where it was set up") as caught:
        supply.bring([found.tracked[0].root])
    assert caught.value.code == "no-remote"


def test_an_import_comes_again_only_as_it_was(tmp_path: Path, web: Any) -> None:
    source = maker(tmp_path / "maker")
    there = reach(tmp_path)
    taken, pin, _ = there.git("maker", "data/deep", None)
    from mlops_cli.workspace import imports

    pointer = imports.pointer("raw", taken, pin)
    one = imports.tracked_of(pointer)
    other = reach(tmp_path / "other")
    other = Reach(other.cache, tmp_path, other.mirrors, tmp_path, other.now)
    write(source, {"data/deep/9.csv": "9\n"})
    add(source, "data")
    commit(source)
    other.again(one)
    assert objects(other) == 1 + 6 + 0  # what it was, not what it is; data is on the way
    url = web.of("a.bin", b"one")
    got, mark = there.url(url, {})
    file = imports.tracked_of(imports.pointer("a.bin", got, mark))
    web.of("a.bin", b"two", "Wed, 02 Jan 2013 00:00:00 GMT")
    with pytest.raises(IntegrityError) as caught:
        other.again(file)
    assert caught.value.code == "source-changed" and "mlops update a.bin" in str(caught.value.hint)


def test_an_import_of_an_import_comes_from_where_it_was_made(tmp_path: Path, mlops: Any) -> None:
    maker(tmp_path / "maker")
    between = repository(tmp_path / "between")
    mlops(
        "import", "git", "../maker", "data/deep", "-o", "raw", "--no-download", cwd=between, code=0
    )
    commit(between)
    there = reach(tmp_path)
    taken, _, _ = there.git("between", "raw/3.csv", None)
    assert there.cache.read(taken.digest) == b"3\n"
    shutil.rmtree(tmp_path / "maker")
    shutil.rmtree(tmp_path / "mirrors")
    with pytest.raises(NotFound) as caught:
        reach(tmp_path / "other").git(str(between), "raw/3.csv", None)
    assert caught.value.code == "no-remote"


def test_each_repository_is_asked_once(tmp_path: Path) -> None:
    source = maker(tmp_path / "maker")
    there = reach(tmp_path)
    there.git("maker", "src/a.py", "main")
    write(source, {"src/a.py": "print(2)\n"})
    commit(source)
    same, _, _ = there.git("maker", "src/a.py", "main")
    assert there.cache.read(same.digest) == b"print(1)\n"
