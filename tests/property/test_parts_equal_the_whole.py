"""Whatever is put into a tracked folder or taken from it: its tree is that of the folder itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_cli.store.cache import open_cache
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.scan import mode_of
from mlops_cli.store.patch import find, patch
from mlops_cli.store.tree import Entry

World = dict[str, Any]
names = st.sampled_from(["a", "b", "c", "d e", "é"])
files = st.tuples(st.binary(max_size=3), st.booleans())
worlds: st.SearchStrategy[World] = st.recursive(
    st.dictionaries(names, files, max_size=4),
    lambda inner: st.dictionaries(names, st.one_of(files, inner), max_size=4),
    max_leaves=10,
)
steps = st.lists(
    st.tuples(st.lists(names, min_size=1, max_size=3), st.one_of(st.none(), files, worlds)),
    max_size=5,
)


def write(path: Path, what: Any) -> None:
    if isinstance(what, dict):
        path.mkdir()
        for name, inner in what.items():
            write(path / name, inner)
        return
    path.write_bytes(what[0])
    path.chmod(0o755 if what[1] else 0o644)


def erase(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, steps)
def test_parts_put_and_taken_give_the_tree_of_the_whole(
    world: World, changes: list[tuple[list[str], Any]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        cache, top = open_cache(Path(scratch) / "cache"), Path(scratch) / "data"
        write(top, world)
        digest = ingest(top, cache=cache).digest
        for parts, what in changes:
            path = "/".join(parts)
            if what is None:
                if find(cache, digest, path) is None:
                    continue
                entry = None
                erase(top / path)
            else:
                for depth in range(1, len(parts)):
                    outer = top.joinpath(*parts[:depth])
                    if not outer.is_dir():
                        erase(outer)
                        outer.mkdir()
                erase(top / path)
                write(top / path, what)
                stored = ingest(top / path, cache=cache)
                mode = "dir" if stored.kind == "tree" else mode_of((top / path).stat().st_mode)
                entry = Entry("", mode, stored.digest, stored.size, stored.files)
            made = patch(cache, digest, {path: entry})
            for listing in made.listings:
                cache.put(listing)
            digest = made.digest
            whole = fingerprint(top)
            assert (made.digest, made.size, made.files) == (whole.digest, whole.size, whole.files)


def test_many_parts_at_once_are_as_one_after_the_other(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    write(tmp_path / "data", {"a": {"b": (b"1", False), "c": (b"2", False)}, "d e": (b"3", False)})
    tree = ingest(tmp_path / "data", cache=cache).digest
    entry = find(cache, tree, "a/b")
    whole = patch(cache, tree, {"a/b": None, "d e/f/g": entry, "a/d/e": entry})
    digest = tree
    for path, put in (("a/b", None), ("d e/f/g", entry), ("a/d/e", entry)):
        made = patch(cache, digest, {path: put})
        for listing in made.listings:
            cache.put(listing)
        digest = made.digest
    assert whole.digest == digest


def test_taking_away_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    write(tmp_path / "data", {"a": {"b": (b"1", False)}, "c": (b"2", False)})
    tree = ingest(tmp_path / "data", cache=cache).digest
    made = patch(cache, tree, {"a/c": None, "c/d/e": None, "d e/f": None, "b": None})
    assert (made.digest, made.files) == (tree, 2)
