"""A part of a tracked folder is added without having the rest of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.files.ingest import fingerprint
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import ignore, track, tracked
from mlops_cli.workspace.track import Added, Keeping


class World:
    """A repository with the parts of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git = Git(root)
        self.cache: Cache = open_cache(root / ".mlops/cache")
        self.stats = StatCache(root / ".mlops/cache/stat.sqlite")

    def add(self, *paths: str, **options: Any) -> list[Added]:
        return track.add(
            self.root,
            paths,
            git=self.git,
            cache=self.cache,
            stats=self.stats,
            tracked=tracked.tracked(self.root, self.git),
            **options,
        )

    def whole(self, path: str) -> Any:
        return fingerprint(self.root / path, ignored=ignore.ignored_in(self.root, path))


@pytest.fixture
def world(repo: Path) -> World:
    """`data` is tracked: a.csv, deep/b.csv, deep/run.sh (executable), empty/."""
    found = World(repo)
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/empty").mkdir()
    (repo / "data/a.csv").write_text("a")
    (repo / "data/deep/b.csv").write_text("b")
    (repo / "data/deep/run.sh").write_text("#!/bin/sh\n")
    (repo / "data/deep/run.sh").chmod(0o755)
    found.add("data")
    return found


def test_a_file_is_put_into_a_folder_that_is_not_checked_out(world: World, repo: Path) -> None:
    (repo / "data/deep/new.csv").write_text("new")
    expected = world.whole("data")
    shutil.rmtree(repo / "data")
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/deep/new.csv").write_text("new")

    (added,) = world.add("data/deep/new.csv")

    assert (added.pointer.path, added.parts, added.kept) == ("data", ("data/deep/new.csv",), 0)
    assert (added.pointer.digest, added.pointer.files) == (expected.digest, 4)
    assert added.pointer.size == expected.size
    assert not (repo / "data/deep/new.csv.mlops").exists()


def test_a_folder_is_laid_over_what_is_there(world: World, repo: Path) -> None:
    shutil.rmtree(repo / "data")
    (repo / "data/deep/more").mkdir(parents=True)
    (repo / "data/deep/b.csv").write_text("other")
    (repo / "data/deep/more/c.csv").write_text("c")

    (added,) = world.add("data/deep")

    assert (added.pointer.files, added.kept) == (4, 1)  # run.sh is not here, and stays
    (repo / "data/empty").mkdir()
    (repo / "data/a.csv").write_text("a")
    (repo / "data/deep/run.sh").write_text("#!/bin/sh\n")
    (repo / "data/deep/run.sh").chmod(0o755)
    assert world.whole("data").digest == added.pointer.digest


def test_links_and_the_executable_bit_come_along(world: World, repo: Path) -> None:
    (repo / "data/link").symlink_to("a.csv")
    (repo / "data/go.sh").write_text("#!/bin/sh\n")
    (repo / "data/go.sh").chmod(0o755)

    (added,) = world.add("data/link", "data/go.sh")

    assert added.pointer.digest == world.whole("data").digest


def test_a_folder_takes_the_place_of_a_file(world: World, repo: Path) -> None:
    (repo / "data/a.csv").unlink()
    (repo / "data/a.csv").mkdir()
    (repo / "data/a.csv/part").write_text("1")

    (added,) = world.add("data/a.csv/part")

    assert added.pointer.digest == world.whole("data").digest


def test_what_the_whole_folder_would_leave_out_is_refused_in_part(world: World, repo: Path) -> None:
    (repo / ".mlopsignore").write_text("data/deep/*.tmp\n/data/scratch/\n")
    (repo / "data/scratch").mkdir()
    for name in ("deep/x.tmp", "scratch/y.csv"):
        (repo / "data" / name).write_text("1")
        with pytest.raises(StateRefused) as refused:
            world.add(f"data/{name}")
        assert refused.value.code == "ignored"
    (added,) = world.add("data/deep")
    assert added.pointer.files == 3


def test_nothing_is_taken_through_a_link(world: World, repo: Path) -> None:
    (repo / "elsewhere").mkdir()
    (repo / "elsewhere/x.csv").write_text("1")
    (repo / "data/way").symlink_to("../elsewhere")

    with pytest.raises(StateRefused) as refused:
        world.add("data/way/x.csv")

    assert refused.value.code == "is-a-link"


def test_a_folder_and_what_lies_in_it_are_not_taken_at_once(world: World) -> None:
    with pytest.raises(StateRefused):
        world.add("data/deep", "data/deep/b.csv")
    with pytest.raises(StateRefused):
        world.add("data", "data/deep/b.csv")


def test_adding_again_keeps_where_the_bytes_are_kept(world: World, repo: Path) -> None:
    world.add("data", keeping=Keeping(remote="archive", push=False))
    (repo / "data/a.csv").write_text("other")

    (added,) = world.add("data/a.csv")

    assert (added.pointer.remote, added.pointer.push) == ("archive", False)
    (again,) = world.add("data", keeping=Keeping(push=True))
    assert (again.pointer.remote, again.pointer.push) == ("archive", True)


def test_a_single_file_keeps_its_executable_bit(world: World, repo: Path) -> None:
    (repo / "tool").write_text("#!/bin/sh\n")
    (repo / "tool").chmod(0o755)

    (added,) = world.add("tool")

    assert added.pointer.executable
    assert '"mode": "exec"' in (repo / "tool.mlops").read_text()
