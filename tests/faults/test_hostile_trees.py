"""A tree from a stranger: refused by name, and nothing outside its folder touched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, StateRefused
from mlops_cli.store import pack_index, packs
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.care.verify import verify
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import fingerprint
from mlops_cli.store.files.materialize import materialize, plan_materialize
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import HEADER
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import tracked
from mlops_cli.workspace.checkout import carry_out, plan_checkout
from mlops_cli.workspace.pointer import parse_pointer
from mlops_cli.workspace.tracked import Tracked

DEEP = int(os.environ.get("MLOPS_DEEP", "8300"))  # a million takes a minute


def listing(*rows: tuple[str, str, Digest, int, int]) -> bytes:
    """Write rows (mode, name, digest, size, files) without asking whether they are right."""
    lines = [f"{mode} {one.hex} {size} {files} {name}\0" for mode, name, one, size, files in rows]
    return HEADER + "".join(lines).encode("utf-8", "surrogateescape")


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refuses(base: Path, cache: Cache, tree: Digest) -> IntegrityError:
    """Checkout, verify and whatever walks the tree refuse it; nothing is written anywhere."""
    before = files_below(base)
    with pytest.raises(IntegrityError) as refused:
        materialize(plan_materialize(cache, tree, "tree", base / "project/data"))
    report = verify(cache, [Root("data", tree, "tree")])
    assert not report.clean and not report.damaged
    assert files_below(base) - {"cache/tmp"} == before - {"cache/tmp"}
    return refused.value


def world(base: Path) -> tuple[Cache, Digest]:
    (base / "project").mkdir()
    cache = open_cache(base / "cache")
    return cache, cache.put(b"evil")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        ".git",
        ".GIT",
        ".git/hooks/post-checkout",
        ".g\u200cit",  # what HFS+ takes for .git
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    cache, evil = world(tmp_path)
    for mode in ("file", "dir", "link", "exec"):
        tree = cache.put(listing((mode, name, evil, 4, 1)))
        assert refuses(tmp_path, cache, tree).code == "hostile-tree"


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("device", "x"),
        ("fifo", "x"),
        ("socket", "x"),
        ("setuid", "x"),
        ("file", "a\0b"),
        ("file", "\udcff"),  # a byte that is no UTF-8
    ],
)
def test_what_is_no_file_folder_or_link_is_refused(tmp_path: Path, mode: str, name: str) -> None:
    cache, evil = world(tmp_path)
    tree = cache.put(listing((mode, name, evil, 4, 1)))
    assert refuses(tmp_path, cache, tree).code == "malformed-tree"


@pytest.mark.parametrize("size", [10**12, 10**18, 10**18 * 9])
def test_a_size_that_is_a_lie_takes_no_space_and_no_memory(tmp_path: Path, size: int) -> None:
    cache, evil = world(tmp_path)
    tree = cache.put(listing(("file", "x", evil, size, 1)))
    if size > 1 << 60:
        assert refuses(tmp_path, cache, tree).code == "hostile-tree"
        return
    stats = StatCache(tmp_path / "stat.sqlite")
    to = tmp_path / "project/data"
    materialize(plan_materialize(cache, tree, "tree", to, stats=stats))
    assert (to / "x").read_bytes() == b"evil"
    assert fingerprint(to, stats=stats, cache=cache).digest != tree
    assert verify(cache, [Root("data", tree, "tree")]).flaws[0].name == "data/x"


def test_a_tree_that_is_deeper_than_any_disk_is_refused_soon(tmp_path: Path) -> None:
    cache, evil = world(tmp_path)
    with cache.writer() as writer:
        tree = writer.put(listing(("file", "x", evil, 4, 1)))
        for _ in range(DEEP):
            tree = writer.put(listing(("dir", "d", tree, 4, 1)))
    assert "deeper than any disk" in refuses(tmp_path, cache, tree).message


def test_a_deep_tree_that_fails_at_its_bottom_leaves_nothing_half_done(tmp_path: Path) -> None:
    cache, _ = world(tmp_path)
    large = bytes(200_000)
    cache.objects.put(large, Digest.of(large))
    with cache.writer() as writer:
        tree = writer.put(listing(("file", "x", Digest.of(large), 200_000, 1)))
        for _ in range(1100):  # more than Python calls itself
            tree = writer.put(listing(("dir", "d", tree, 200_000, 1)))
    plan = plan_materialize(cache, tree, "tree", tmp_path / "project/data")
    cache.objects.path(Digest.of(large)).chmod(0o644)
    cache.objects.path(Digest.of(large)).write_bytes(bytes(199_999) + b"x")
    with pytest.raises(IntegrityError):
        materialize(plan)
    assert files_below(tmp_path / "project") == set()


def test_a_folder_that_doubles_itself_is_refused_soon(tmp_path: Path) -> None:
    cache, evil = world(tmp_path)
    honest = tree = cache.put(listing(("file", "x", evil, 4, 1)))
    for level in range(60):
        files = 2 ** (level + 1)
        honest = cache.put(
            listing(("dir", "a", honest, 4, files // 2), ("dir", "b", honest, 4, files // 2))
        )
        tree = cache.put(listing(("dir", "a", tree, 4, 1), ("dir", "b", tree, 4, 1)))
    assert "more than any disk" in refuses(tmp_path, cache, honest).message
    with pytest.raises(IntegrityError, match="more than it says"):
        plan_materialize(cache, tree, "tree", tmp_path / "project/data")
    assert len(closure(cache, [Root("data", tree, "tree")]).objects) == 62


def test_a_tree_cannot_be_made_to_hold_itself(tmp_path: Path) -> None:
    """An index may say that a tree lies where another lies; its digest says that it does not."""
    cache, evil = world(tmp_path)
    inner = listing(("file", "x", evil, 4, 1))
    outer = listing(("dir", "d", Digest.of(inner), 4, 1))
    body = packs.PACK_MAGIC + packs.RECORD.pack(Digest.of(outer).raw, len(outer)) + outer
    at = len(packs.PACK_MAGIC) + packs.RECORD.size
    rows = {one.raw: (at, len(outer)) for one in (Digest.of(inner), Digest.of(outer))}
    index = pack_index.write_index(rows)
    folder = cache.packs.folder
    folder.mkdir(parents=True)
    (folder / f"{pack_index.index_name(index)}.pack").write_bytes(body)
    (folder / f"{pack_index.index_name(index)}.idx").write_bytes(index)

    with pytest.raises(IntegrityError) as refused:
        plan_materialize(cache, Digest.of(outer), "tree", tmp_path / "project/data")

    assert refused.value.code == "damaged-object"
    assert cache.read(Digest.of(outer)) == outer


@pytest.mark.parametrize("place", ["data", "sub/data"])
def test_a_link_out_of_the_project_in_the_way_of_a_checkout_is_not_followed(
    tmp_path: Path, place: str
) -> None:
    cache, evil = world(tmp_path)
    outside, root = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    (outside / "x").write_bytes(b"mine")
    (root / place.partition("/")[0]).symlink_to(outside)
    tree = cache.put(listing(("file", "x", evil, 4, 1)))
    one = Tracked(place, tree, "tree", 4, 1, f"{place}.mlops")

    with pytest.raises(MlopsError) as refused:
        steps = plan_checkout(root, [one], cache=cache, stats=StatCache(tmp_path / "stat.sqlite"))
        carry_out(steps, overwrite=True)

    assert refused.value.code in ("is-a-link", "path-outside-project")
    assert files_below(outside) == {"x"} and (outside / "x").read_bytes() == b"mine"


def test_a_link_inside_a_tree_never_leads_a_later_file_out(tmp_path: Path) -> None:
    cache, evil = world(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    target = cache.put(os.fsencode(outside))
    first = cache.put(listing(("link", "d", target, len(str(outside)), 1)))
    inner = cache.put(listing(("file", "x", evil, 4, 1)))
    second = cache.put(listing(("dir", "d", inner, 4, 1)))
    to = tmp_path / "project/data"
    materialize(plan_materialize(cache, first, "tree", to))
    materialize(plan_materialize(cache, second, "tree", to))
    assert (to / "d/x").read_bytes() == b"evil" and not (to / "d").is_symlink()
    assert files_below(outside) == set()


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "x/y"])
def test_a_pointer_that_stands_for_another_path_is_refused(path: str) -> None:
    text = (
        f'{{"schema": "mlops.pointer/1", "path": "{path}", "digest": "sha256:{"0" * 64}", '
        '"kind": "file", "size": 1, "files": 1}'
    )
    with pytest.raises(IntegrityError) as refused:
        parse_pointer(text, file="data/x.mlops")
    assert refused.value.code == "malformed-pointer"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/hooks/x", "a/../../x"])
def test_a_lock_that_names_a_path_elsewhere_is_refused(repo: Path, path: str) -> None:
    digest = hashlib.sha256(b"evil").hexdigest()
    (repo / ".mlops/lock").mkdir(parents=True)
    (repo / ".mlops/lock/step.json").write_text(
        f'{{"outputs": {{"{path}": {{"kind": "file", "digest": "sha256:{digest}"}}}}}}'
    )
    with pytest.raises((IntegrityError, StateRefused, NotFound)) as refused:
        tracked.tracked(repo, Git(repo))
    assert refused.value.code == "malformed-lock"
