"""The example in docs/formats/chunks.md is what the code writes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.store.cache import open_cache
from mlops_cli.store.closure import Root
from mlops_cli.store.recipes import parse_recipe
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import check_format
from mlops_cli.store.space.fold import fold
from mlops_cli.store.transfer.remote_index import memory, refresh
from mlops_cli.store.transfer.transfer import plan_push, push

PAGE = (Path(__file__).parents[2] / "docs/formats/chunks.md").read_text()


def test_the_recipe_and_the_remote_of_the_page_are_written(tmp_path: Path) -> None:
    data = "".join(f"{number}\n" for number in range(400_000)).encode()
    (tmp_path / "numbers").write_bytes(data)
    cache = open_cache(tmp_path / "cache")
    digest = cache.put_file(tmp_path / "numbers")
    assert f"{len(data):,} bytes, `{digest}`" in PAGE

    remote = open_remote(f"file://{tmp_path}/remote", root=tmp_path)
    check_format(remote, create=True)
    now = datetime(2013, 1, 31, tzinfo=UTC)
    index = refresh(remote, memory(cache.root, remote.id), now=now, thorough=True)
    root = Root("numbers", digest, "file", len(data), 1)
    push(plan_push(cache, index, [root]), cache, remote, index)

    told = dict(re.findall(r"^\| `([^`<]+\.\w+)` \| ([\d,]+) \|$", PAGE, re.M))
    assert {name: int(size.replace(",", "")) for name, size in told.items()} == remote.list("")

    fold(cache, [digest])
    recipe = cache.cold.recipes.path(digest).read_bytes()
    block = re.search(r"```\n(6d6c.*?)```", PAGE, re.S)
    assert block
    shown = "".join(re.findall(r"^((?:[0-9a-f]{8,} ?)+)(?:  |$)", block[1], re.M))
    assert bytes.fromhex(shown) == recipe
    lengths = [chunk.length for chunk in parse_recipe(recipe)]
    assert [f"{length:,}" for length in lengths] == re.findall(
        r" {3}([\d,]+)(?: bytes)?$", block[1], re.M
    )[-11:]
