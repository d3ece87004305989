"""What docs/formats say of merges is what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.drivers import ATTRIBUTES
from mlops_cli.workspace.merge import merge_file
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.pointer import Pointer, encode_pointer, parse_pointer

PAGE = (Path(__file__).parents[2] / "docs/formats/pointers.md").read_text()


def pointer(text: str) -> bytes:
    return encode_pointer(Pointer("a.csv", Digest.of(text.encode()), "file", 1, 1)).encode()


def test_the_conflict_of_the_page_is_written_and_parses(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    found = merge_file(
        "a.csv.mlops", pointer("z"), pointer("x"), pointer("y"), shelf=MergeShelf(cache, cache)
    )
    assert f"```json\n{found.data.decode()}```" in PAGE
    assert parse_pointer(found.data, file="a.csv.mlops").theirs is not None


def test_the_attributes_of_the_page_are_written() -> None:
    shown = re.search(r"```gitattributes\n(.*?)```", PAGE, re.S)
    assert shown is not None
    assert shown[1].splitlines() == list(ATTRIBUTES)
