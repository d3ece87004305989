"""From the store into the workspace: all of it, nothing outside it, nothing unsaved lost."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.store import links
from mlops_cli.store.cache import PACK_BELOW, Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.compare import Surveyed, changes
from mlops_cli.store.files.ingest import Stored, fingerprint, ingest, survey, total
from mlops_cli.store.files.materialize import LinkKind, materialize, plan_materialize
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import Entry, write_tree


class OldStats(StatCache):
    def clock(self) -> int:
        return super().clock() + 10_000_000_000


def world(folder: Path) -> Path:
    (folder / "empty").mkdir(parents=True)
    (folder / "sub/deeper").mkdir(parents=True)
    (folder / "sub/deeper/c").write_text("c")
    (folder / "sub/b").write_text("b")
    (folder / "a").write_text("a")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub/b")
    (folder / "large").write_bytes(os.urandom(PACK_BELOW + 1))
    return folder


def put(cache: Cache, stored: Stored, to: Path, **options: object) -> None:
    plan = plan_materialize(cache, stored.digest, stored.kind, to)
    materialize(plan, **options)  # type: ignore[arg-type]


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".tmp-mlops-*") if "cache" not in path.parts]


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    stored = ingest(world(tmp_path / "data"), cache=cache)
    out = tmp_path / "made/on/the/way/out"
    plan = plan_materialize(cache, stored.digest, "tree", out)
    assert plan.create == ("a", "large", "link", "run.sh", "sub/b", "sub/deeper/c")
    assert plan.size == stored.size
    assert not out.exists()
    materialize(plan)
    assert fingerprint(out) == stored
    assert os.access(out / "run.sh", os.X_OK)
    assert (out / "link").readlink() == Path("sub/b")
    assert (out / "empty").is_dir()
    assert (out / "large").stat().st_mode & stat.S_IWUSR
    assert leftovers(tmp_path) == []
    again = plan_materialize(cache, stored.digest, "tree", out)
    assert (again.moves, again.create) == ((), ())


def test_a_file_comes_back_and_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    target = tmp_path / "file"
    digests = []
    for text in ("one", "two"):
        target.write_text(text)
        digests.append(ingest(target, cache=cache))
    plan = plan_materialize(cache, digests[0].digest, "file", target)
    assert (plan.replace, plan.unsaved, plan.size) == (("file",), (), 3)
    materialize(plan)
    assert target.read_text() == "one"
    target.unlink()
    put(cache, digests[1], target)
    assert target.read_text() == "two"
    assert leftovers(tmp_path) == []


def test_only_what_differs_is_touched(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    before = ingest(data, cache=cache)
    (data / "sub/b").write_text("changed")
    (data / "sub/new").write_text("new")
    (data / "a").unlink()
    (data / "run.sh").chmod(0o644)
    (data / "fresh/er").mkdir(parents=True)
    (data / "fresh/er/x").write_text("x")
    after = ingest(data, cache=cache)
    untouched = (data / "sub/deeper/c").stat().st_ino
    plan = plan_materialize(cache, before.digest, "tree", data)
    assert plan.create == ("a",)
    assert plan.replace == ("run.sh", "sub/b")
    assert plan.delete == ("fresh/er/x", "sub/new")
    assert plan.unsaved == ()
    materialize(plan)
    assert fingerprint(data) == before
    assert (data / "sub/deeper/c").stat().st_ino == untouched
    put(cache, after, data)
    assert fingerprint(data) == after
    assert leftovers(tmp_path) == []


def test_files_and_folders_may_change_places(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    before = ingest(data, cache=cache)
    (data / "a").unlink()
    (data / "a/b").mkdir(parents=True)
    (data / "a/b/c").write_text("c")
    (data / "empty").rmdir()
    (data / "empty").write_text("no folder any more")
    (data / "link").unlink()
    (data / "link").mkdir()
    after = ingest(data, cache=cache)
    put(cache, before, data)
    assert fingerprint(data) == before
    put(cache, after, data)
    assert fingerprint(data) == after
    (tmp_path / "file").write_text("a file")
    file = ingest(tmp_path / "file", cache=cache)
    put(cache, file, data)
    assert data.read_text() == "a file"
    put(cache, before, data)
    assert fingerprint(data) == before


@pytest.mark.parametrize("where", ["sub/b", "sub/extra", "empty/extra"])
def test_unsaved_bytes_are_named_and_stay(tmp_path: Path, where: str) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    (data / where).write_text("precious")
    plan = plan_materialize(cache, stored.digest, "tree", data)
    assert plan.unsaved == (where,)
    with pytest.raises(StateRefused) as caught:
        materialize(plan)
    assert caught.value.code == "unsaved-bytes"
    assert where in caught.value.message
    assert (data / where).read_text() == "precious"
    materialize(plan, overwrite=True)
    assert fingerprint(data) == stored


def test_a_file_that_changes_after_the_plan_is_left_alone(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    before = ingest(data, cache=cache)
    (data / "a").write_text("other")
    ingest(data, cache=cache)
    plan = plan_materialize(cache, before.digest, "tree", data)
    assert plan.unsaved == ()
    (data / "a").write_text("precious")
    with pytest.raises(StateRefused) as caught:
        materialize(plan)
    assert caught.value.code == "unsaved-bytes"
    assert (data / "a").read_text() == "precious"


def test_a_file_that_appears_after_the_plan_is_left_alone(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    (data / "a").unlink()
    (data / "sub/deeper/c").unlink()
    (data / "sub/deeper").rmdir()
    plan = plan_materialize(cache, stored.digest, "tree", data)
    (data / "a").write_text("precious")
    (data / "sub/deeper").mkdir()
    (data / "sub/deeper/precious").write_text("precious")
    with pytest.raises(StateRefused):
        materialize(plan)
    assert (data / "a").read_text() == "precious"
    assert (data / "sub/deeper/precious").read_text() == "precious"
    assert leftovers(tmp_path) == []


def test_what_is_ignored_stays_where_it_is(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")

    def ignored(path: str, folder: bool) -> bool:
        return path.endswith(".log") or path == "fresh/keep"

    before = ingest(data, cache=cache, ignored=ignored)
    (data / "my.log").write_text("mine")
    (data / "fresh/keep").mkdir(parents=True)
    (data / "fresh/keep/it").write_text("mine")
    (data / "fresh/x").write_text("x")
    ingest(data, cache=cache, ignored=ignored)
    plan = plan_materialize(cache, before.digest, "tree", data, ignored=ignored)
    assert plan.delete == ("fresh/x",)
    materialize(plan)
    assert (data / "my.log").read_text() == "mine"
    assert (data / "fresh/keep/it").read_text() == "mine"


def test_an_object_that_is_missing_stops_it_before_anything_changes(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    (data / "a").unlink()
    cache.objects.path(Digest.of(b"a")).unlink()
    with pytest.raises(NotFound) as caught:
        plan_materialize(cache, stored.digest, "tree", data)
    assert caught.value.code == "missing-object"


def test_a_damaged_object_is_never_placed(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    large = cache.objects.path(Digest.of((data / "large").read_bytes()))
    large.chmod(0o644)
    with large.open("r+b") as handle:
        handle.write(b"\0damage")
    for link in ("auto", "copy", "hardlink", "symlink"):
        with pytest.raises(IntegrityError) as caught:
            put(cache, stored, tmp_path / "out", link=link)
        assert caught.value.code == "damaged-object"
        assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink", "symlink"])
def test_large_files_are_linked_on_request(tmp_path: Path, link: LinkKind) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    (data / "program").write_bytes(os.urandom(PACK_BELOW))
    (data / "program").chmod(0o755)
    stored = ingest(data, cache=cache)
    out = tmp_path / "out"
    put(cache, stored, out, link=link)
    kept = cache.objects.path(Digest.of((data / "large").read_bytes()))
    assert (out / "large").samefile(kept) == (link in ("hardlink", "symlink"))
    assert (out / "large").is_symlink() == (link == "symlink")
    assert os.access(out / "program", os.X_OK)
    assert fingerprint(out, cache=cache) == stored
    assert ingest(out, cache=cache) == stored
    assert plan_materialize(cache, stored.digest, "tree", out).moves == ()
    (out / "a").write_text("a")
    (data / "large").write_bytes(b"small now")
    other = ingest(data, cache=cache)
    put(cache, other, out, link=link)
    assert fingerprint(out, cache=cache) == other
    assert cache.read(Digest.of(kept.read_bytes()))


def test_a_link_on_the_disk_never_leads_a_write_outside(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    outside = tmp_path / "outside"
    outside.mkdir()
    (data / "sub/b").unlink()
    plan = plan_materialize(cache, stored.digest, "tree", data)
    (data / "sub").rename(tmp_path / "moved")
    (data / "sub").symlink_to(outside)
    with pytest.raises(StateRefused):
        materialize(plan)
    assert list(outside.iterdir()) == []
    # planned anew, the link is what it is: something unsaved that is in the way
    plan = plan_materialize(cache, stored.digest, "tree", data)
    assert plan.unsaved == ("sub",)
    materialize(plan, overwrite=True)
    assert fingerprint(data) == stored
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../escape", "/tmp/escape", "..", ".git"])
def test_a_hostile_tree_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = cache.put(b"hostile")
    evil = write_tree([Entry("fine", "file", digest, 7)]).replace(b"fine", name.encode())
    inner = cache.put(evil)
    outer = cache.put(write_tree([Entry("sub", "dir", inner, 7, 1)]))
    with pytest.raises(IntegrityError) as caught:
        plan_materialize(cache, outer, "tree", tmp_path / "out")
    assert caught.value.code == "hostile-tree"
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "escape").exists()


def test_a_file_is_not_taken_for_a_tree(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    with pytest.raises(IntegrityError):
        plan_materialize(cache, cache.put(b"bytes"), "tree", tmp_path / "out")


def test_what_was_written_is_known_without_reading_it(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    stored = ingest(world(tmp_path / "data"), cache=cache)
    stats = OldStats(tmp_path / "stat.sqlite")
    out = tmp_path / "out"
    materialize(plan_materialize(cache, stored.digest, "tree", out, stats=stats))
    for name in ("a", "sub/b", "large", "run.sh"):
        assert stats.lookup(out / name, (out / name).lstat()) == Digest.of(
            (out / name).read_bytes()
        )
    (out / "a").unlink()
    materialize(plan_materialize(cache, stored.digest, "tree", out, stats=stats))
    assert stats.lookup(out / "a", (out / "a").lstat()) == Digest.of(b"a")
    assert fingerprint(out, stats=stats) == stored


def test_scratch_of_a_process_that_is_no_more_is_swept(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    stored = ingest(data, cache=cache)
    (tmp_path / ".tmp-mlops-4194305-aa/sub").mkdir(parents=True)  # above the highest pid
    (data / ".tmp-mlops-4194305-bb").write_text("half")
    (data / f".tmp-mlops-{os.getpid()}-cc").write_text("still being written")
    put(cache, stored, data)
    assert [path.name for path in leftovers(tmp_path)] == [f".tmp-mlops-{os.getpid()}-cc"]


def test_a_tree_as_deep_as_the_disk_allows_comes_back(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    deep = tmp_path / "data"
    deep.mkdir()
    for _ in range(1200):
        deep = deep / "d"
        deep.mkdir()
    (deep / "f").write_text("deep")
    stored = ingest(tmp_path / "data", cache=cache)
    put(cache, stored, tmp_path / "out")
    assert fingerprint(tmp_path / "out") == stored
    # pytest's own way to remove a folder recurses and would give up
    subprocess.run(["rm", "-rf", tmp_path / "data", tmp_path / "out"], check=True)


def test_probe_says_what_the_disk_can(tmp_path: Path) -> None:
    found = links.probe(tmp_path)
    assert found["copy"] and found["hardlink"] and found["symlink"]
    assert set(found) == {"copy", "hardlink", "symlink", "reflink"}
    assert list(tmp_path.iterdir()) == []


def test_changes_are_found_by_walking_only_what_differs(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path / "data")
    before = ingest(data, cache=cache)
    (data / "sub/deeper/c").write_text("changed")
    (data / "sub/b").unlink()
    (data / "a").unlink()
    (data / "a").mkdir()
    (data / "a/x").write_text("x")
    (data / "empty").rmdir()
    (data / "bare").mkdir()
    now = survey(data, stats=None, ignored=None, cache=cache)
    found = changes(Surveyed.of(now, cache), before.digest, total(now).digest)
    assert [(change.path, change.kind) for change in found] == [
        ("a", "deleted"),
        ("a/x", "added"),
        ("bare", "added"),
        ("empty", "deleted"),
        ("sub/b", "deleted"),
        ("sub/deeper/c", "modified"),
    ]
    assert changes(cache, before.digest, before.digest) == []
    assert len(changes(cache, None, before.digest)) == 7
    assert {change.kind for change in changes(cache, before.digest, None)} == {"deleted"}
