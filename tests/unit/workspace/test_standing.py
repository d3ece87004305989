"""How the workspace, the cache and the remote stand to git: three answers, none by network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.transfer.remote_index import memory, remembered
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import sync, track
from mlops_cli.workspace.state import state
from mlops_cli.workspace.tracked import Tracked, select, tracked

NOW = datetime(2013, 1, 31, tzinfo=UTC)


class World:
    """A repository with `data` and `one.bin` tracked, its cache, and an empty remote."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.git = Git(self.root)
        self.cache: Cache = open_cache(self.root / ".mlops/cache")
        self.stats = StatCache(self.root / ".mlops/cache/stat.sqlite")
        (self.root / "data/deep").mkdir(parents=True)
        (self.root / "data/a").write_text("a")
        (self.root / "data/deep/b").write_text("b")
        (self.root / "one.bin").write_text("1")
        self.add("data", "one.bin")
        self.remote: Remote = open_remote("../remote", root=self.root)

    def add(self, *paths: str) -> None:
        track.add(
            self.root,
            paths,
            git=self.git,
            cache=self.cache,
            stats=self.stats,
            tracked=self.tracked,
        )

    @property
    def tracked(self) -> list[Tracked]:
        return tracked(self.root, self.git)

    def states(self) -> dict[str, str]:
        rows = state(self.root, self.tracked, cache=self.cache, stats=self.stats)
        return {row.tracked.path: f"{row.state}: {row.reason}" for row in rows}

    def push(self) -> None:
        sync.push(
            sync.plan_push(self.cache, self.remote, self.tracked, now=NOW), self.cache, self.remote
        )

    def outstanding(self) -> dict[str, str]:
        index = remembered(memory(self.cache.root, self.remote.id), self.remote.url)
        rows = sync.outstanding(self.cache, self.tracked, index).rows
        return {row.tracked.path: row.reason for row in rows if not row.clean}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_each_way_to_differ_has_its_reason(world: World) -> None:
    assert set(world.states().values()) == {"clean: as git says"}

    (world.root / "data/new").write_text("new")
    (world.root / "one.bin").unlink()
    assert world.states() == {
        "data": "modified: 3 files now, 2 before",
        "one.bin": "missing: not in the workspace",
    }
    (world.root / "data/new").unlink()
    (world.root / "data/a").write_text("longer")
    (world.root / "one.bin").mkdir()
    assert world.states() == {
        "data": "modified: 7 bytes now, 2 before",
        "one.bin": "modified: a folder now, was a file",
    }


def test_what_is_left_to_push_is_known_without_asking(world: World) -> None:
    assert world.outstanding() == {}  # never asked: nothing can be said
    world.push()
    assert world.outstanding() == {}

    (world.root / "data/a").write_text("changed")
    world.add("data")
    asked = world.remote.requests.total
    assert world.outstanding() == {"data": "2 objects not on the remote"}
    assert world.remote.requests.total == asked

    world.push()
    assert world.outstanding() == {}


def test_an_object_that_left_the_cache_is_noticed(world: World) -> None:
    world.push()
    assert world.outstanding() == {}

    shutil.rmtree(world.root / ".mlops/cache/objects")
    world.cache = open_cache(world.cache.root)

    assert world.outstanding() == {
        "data": "1 object not in the cache; the remote has it",
        "one.bin": "1 object not in the cache; the remote has it",
    }
    assert [one.path for one in sync.lacking(world.cache, world.tracked)] == ["data", "one.bin"]


def test_the_memory_of_a_remote_may_be_deleted_or_damaged(world: World) -> None:
    world.push()
    place = memory(world.cache.root, world.remote.id) / "state.json"
    place.write_text('{"schema": "mlops.remote-memory/1"}')
    assert world.outstanding() == {}
    world.push()
    assert world.outstanding() == {}


def test_outputs_of_steps_are_tracked_like_data(world: World) -> None:
    (data,) = [one for one in world.tracked if one.path == "data"]
    lock = {"step": "feature.x", "outputs": {"out/x": {"digest": data.digest, "kind": "tree"}}}
    (world.root / ".mlops/lock").mkdir()
    (world.root / ".mlops/lock/feature.x.json").write_text(json.dumps(lock))

    (output,) = [one for one in world.tracked if one.step]

    assert (output.path, output.step) == ("out/x", "feature.x")
    assert world.states()["out/x"].startswith("missing")


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        {"/etc/x": {"digest": "sha256:" + "0" * 64, "kind": "file"}},
        {"../x": {"digest": "sha256:" + "0" * 64, "kind": "file"}},
        {"x": {"digest": "sha256:" + "0" * 64, "kind": "device"}},
        {"x": {"digest": "nonsense", "kind": "file"}},
        {"x": "nonsense"},
    ],
)
def test_a_lock_that_lies_is_refused(world: World, outputs: object) -> None:
    (world.root / ".mlops/lock").mkdir()
    (world.root / ".mlops/lock/s.json").write_text(json.dumps({"outputs": outputs}))

    with pytest.raises(IntegrityError):
        world.tracked  # noqa: B018


def test_a_path_its_pointer_and_a_folder_around_it_select_it(world: World) -> None:
    def paths(*words: str) -> list[str]:
        return [one.path for one in select(world.tracked, words)]

    assert paths() == ["data", "one.bin"]
    assert paths("data.mlops") == paths("data/deep") == paths("data") == ["data"]
    with pytest.raises(NotFound):
        paths("dat")


def test_asking_how_things_stand_loads_nothing_heavy() -> None:
    code = (
        "import sys, mlops_cli.project, mlops_cli.workspace.remotes,"
        " mlops_cli.workspace.state, mlops_cli.workspace.sync;"
        "print(*sorted(set(sys.modules) & {'fsspec', 'yaml', 'git', 'asyncio', 'rich', 'numpy',"
        " 'pyarrow', 'concurrent.futures', 'subprocess', 'typer'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
