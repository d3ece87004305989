"""Bytes of DVC on their way into a cache: once each, resumed where they were, linked if asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from dvc_world import DvcWorld, md5
from s3server import S3

from mlops_cli.integrations.dvc import parcels, repository, survey, take
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.vcs.repo import Git


def taken(
    root: Path, *, cache: Cache, attach: bool = False, link: Link = "auto", progress: Any = SILENT
) -> take.Taken:
    found = survey.survey(root, Git(root), repository.open_repository(root, "."))
    plan = parcels.plan(root, found, tracked=[])
    return take.take(
        root, found, plan, cache=cache, tracked=[], attach=attach, link=link, progress=progress
    )


def many(root: Path, count: int) -> None:
    """Make DVC track a folder of so many small files."""
    cache = root / ".dvc/cache/files/md5"
    rows = []
    for n in range(count):
        data = hashlib.sha256(str(n).encode()).digest()
        name = md5(data)
        (cache / name[:2]).mkdir(exist_ok=True)
        (cache / name[:2] / name[2:]).write_bytes(data)
        rows.append({"md5": name, "relpath": f"{n % 7}/f{n}"})
    listing = json.dumps(rows).encode()
    name = md5(listing)
    (cache / name[:2]).mkdir(exist_ok=True)
    (cache / name[:2] / f"{name[2:]}.dir").write_bytes(listing)
    (root / "many.dvc").write_text(f"outs:\n- md5: {name}.dir\n  hash: md5\n  path: many\n")


@pytest.mark.parametrize("attach", [False, True])
def test_a_killed_import_goes_on_where_it_was(attach: bool, dvc3: DvcWorld) -> None:
    many(dvc3.root, 5000)
    cache = open_cache(dvc3.root / ".mlops/cache")
    with pytest.raises(KeyboardInterrupt):
        taken(dvc3.root, cache=cache, attach=attach, progress=Interrupted(4500))

    again = taken(dvc3.root, cache=cache, attach=attach)

    assert again.stored["many"].files == 5000
    assert again.result.hashed < 5030 - 4096


def test_a_hard_link_is_made_where_nobody_writes_to_the_file(dvc3: DvcWorld) -> None:
    name = md5(b"0123456789abcdef" * 12_500)
    place = dvc3.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"
    place.chmod(0o444)  # as DVC has it
    cache = open_cache(dvc3.root / ".mlops/cache")

    stored = taken(dvc3.root, cache=cache, link="hardlink").stored["big.bin"]

    assert place.samefile(cache.objects.path(stored.digest))


def test_a_file_that_may_be_written_to_is_copied_all_the_same(dvc3: DvcWorld) -> None:
    name = md5(b"0123456789abcdef" * 12_500)
    place = dvc3.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"
    place.chmod(0o644)
    cache = open_cache(dvc3.root / ".mlops/cache")

    stored = taken(dvc3.root, cache=cache, link="hardlink").stored["big.bin"]

    assert not place.samefile(cache.objects.path(stored.digest))


def test_objects_come_from_s3_when_nothing_is_here(
    dvc3: DvcWorld, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    url = s3.url("dvc-store")
    s3.filesystem().put(f"{dvc3.remote}/", url, recursive=True)
    config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n"
    config += f"    endpointurl = {s3.endpoint}\n"
    (dvc3.root / ".dvc/config").write_text(config)
    cache = open_cache(dvc3.root / ".mlops/cache")
    (dvc3.root / ".dvc/cache").rename(dvc3.root.parent / "elsewhere")

    result = taken(dvc3.root, cache=cache).result

    assert result.lost == []
    assert result.fetched >= 12


class Interrupted(Progress):
    """Progress that ends it all after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def task(self, *_: Any, **__: Any) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def say(self, *_: Any) -> None: ...

    def advance(self, n: int = 1) -> None:
        self.left -= n
        if self.left < 0:
            raise KeyboardInterrupt
