"""`mlops du`: bytes by tracked path, what is shared counted once, and the past."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

MIB = 1 << 20


def test_bytes_are_told_by_path_the_largest_first(
    repo: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    common, big, old = os.urandom(MIB), os.urandom(3 * MIB), os.urandom(2 * MIB)
    for name in ("one", "two"):
        (repo / name).mkdir()
        (repo / name / "common").write_bytes(common)
    (repo / "two/big").write_bytes(old)
    mlops("add", "one", "two", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    (repo / "two/big").write_bytes(big)
    mlops("add", "two", code=0)
    (repo / "one/common").unlink()
    (repo / "one").rmdir()

    result = mlops("du", "--history", "--json", code=0)

    assert_valid(result.json)
    two, one = result.data["paths"]
    assert [two["path"], one["path"]] == ["two", "one"]
    assert (two["size"], two["workspace"], one["workspace"]) == (4 * MIB, 4 * MIB, None)
    assert two["unique"] - 3 * MIB < 500 and one["unique"] < 500  # the listings
    assert (two["shared"], one["shared"]) == (MIB, MIB)
    assert (two["versions"], one["versions"]) == (2, 1)
    assert two["history"] - 2 * MIB < 500 and one["history"] == 0
    assert result.data["cache"] - 4 * MIB < 1000
    only = mlops("du", "one", "--json", code=0).data
    assert [row["path"] for row in only["paths"]] == ["one"]
    assert only["paths"][0]["history"] is None
    shown = mlops("du", code=0).stdout.splitlines()
    assert shown[1].split()[-1] == "two" and shown[-1].startswith("4.0 MiB in the workspace")


def test_where_nothing_is_tracked_it_says_so(repo: Path, mlops: Any) -> None:
    assert "Nothing is tracked yet" in mlops("du", "--history", code=0).stdout
