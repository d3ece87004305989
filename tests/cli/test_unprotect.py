"""`mlops unprotect`: a link into the cache becomes a file that may be written in place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def linked(repo: Path, mlops: Any) -> Path:
    """A project with `data/big.bin` and `one.bin`, checked out by links."""
    (repo / "data").mkdir()
    (repo / "data/small").write_bytes(b"small")
    (repo / "data/big.bin").write_bytes(os.urandom(1 << 18))
    (repo / "one.bin").write_bytes(os.urandom(1 << 18))
    mlops("add", "data", "one.bin", code=0)
    for path in (repo / "data/big.bin", repo / "one.bin"):
        path.unlink()
    return repo


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_a_link_becomes_a_file_of_its_own(
    linked: Path, mlops: Any, assert_valid: Any, link: str
) -> None:
    mlops("checkout", "--link", link, code=0)
    planned = mlops("unprotect", "data", "--dry-run", "--json", code=0)
    assert_valid(planned.json)
    assert planned.data == {"dry_run": True, "paths": ["data/big.bin"]}

    assert mlops("unprotect", ".", "--json", code=0).data["paths"] == ["data/big.bin", "one.bin"]

    for name in ("data/big.bin", "one.bin"):
        with (linked / name).open("r+b") as file:
            file.write(b"edited")
    rows = mlops("status", "--json").data
    assert "one.bin" in str(rows)
    assert mlops("verify", "--json", code=0).data["clean"]
    assert "Nothing there is a link" in mlops("unprotect", "data", code=0).stdout


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_an_edit_through_a_link_is_seen_kept_and_undone(
    linked: Path, mlops: Any, link: str
) -> None:
    mlops("remote", "add", "origin", "../remote", code=0)
    mlops("push", code=0)
    mlops("checkout", "--link", link, code=0)
    place = linked / "one.bin"
    former = place.read_bytes()
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.write(b"edited")

    seen = mlops("status", "--json")
    (warning,) = seen.json["warnings"]
    assert warning.startswith("one.bin was edited through its link into the cache")
    assert place.read_bytes()[:6] == b"edited" and not place.is_symlink()
    assert mlops("checkout", "one.bin", "--json").error["code"] in (
        "missing-object",
        "damaged-object",
        "unsaved-bytes",
    )
    assert mlops("verify", "--repair", "--json", code=0).data["repaired"]
    assert mlops("checkout", "one.bin", "--json", code=30).error["code"] == "unsaved-bytes"
    assert place.read_bytes()[:6] == b"edited"
    mlops("checkout", "one.bin", "--force", "--link", link, code=0)
    assert place.read_bytes() == former


def test_links_into_a_cache_elsewhere_are_files_all_the_same(linked: Path, mlops: Any) -> None:
    mlops("config", "set", "cache.dir", "../elsewhere", code=0)
    (linked / "one.bin").write_bytes(os.urandom(1 << 18))
    mlops("add", "one.bin", code=0)
    (linked / "one.bin").unlink()
    mlops("checkout", "one.bin", "--link", "symlink", code=0)
    assert (linked / "one.bin").is_symlink()
    assert mlops("status", "--json").code == 0
    assert mlops("unprotect", "one.bin", "--json", code=0).data["paths"] == ["one.bin"]


def test_what_is_not_tracked_is_refused(linked: Path, mlops: Any) -> None:
    assert mlops("unprotect", "nothing", "--json", code=20).error["code"] == "not-tracked"
