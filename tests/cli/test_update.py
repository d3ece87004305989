"""`mlops update`: pins move to what the source has now, and never over unsaved bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from makers import add, commit, git, maker, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return maker(tmp_path / "maker")


def changed(source: Path, text: str) -> str:
    write(source, {"data/deep/9.csv": text})
    add(source, "data")
    return commit(source)


def test_what_is_new_there_comes_and_is_told(
    source: Path, repo: Path, mlops: Any, assert_valid: Any
) -> None:
    old = git(source, "rev-parse", "HEAD")
    mlops("import", "git", "../maker", "data/deep", "-o", "raw", code=0)
    mlops("import", "git", "../maker", "big.bin", code=0)
    new = changed(source, "9\n")
    before = (repo / "raw.mlops").read_text()

    plan = mlops("update", "--dry-run", "--json", code=0)
    assert_valid(plan.json)
    states = {one["path"]: one["state"] for one in plan.data["imports"]}
    assert states == {"big.bin": "moved", "raw": "changed"}
    assert (repo / "raw.mlops").read_text() == before and not (repo / "raw/9.csv").exists()

    done = mlops("update", code=0)
    assert f"{old[:12]} → {new[:12]}" in done.stdout and "git add" in done.stdout
    assert (repo / "raw/9.csv").read_text() == "9\n"
    again = mlops("update", "--json", code=0).data["imports"]
    assert {one["state"] for one in again} == {"current"}


def test_another_revision_is_followed_from_then_on(source: Path, repo: Path, mlops: Any) -> None:
    git(source, "branch", "dev")
    mlops("import", "git", "../maker", "data/deep", "-o", "raw", "--rev", "dev", code=0)
    changed(source, "9\n")
    assert mlops("update", "--json", code=0).data["imports"][0]["state"] == "current"
    mlops("update", "raw", "--rev", "main", code=0)
    assert (repo / "raw/9.csv").exists()
    changed(source, "10\n")
    mlops("update", code=0)
    assert (repo / "raw/9.csv").read_text() == "10\n"


def test_a_commit_is_fixed(source: Path, repo: Path, mlops: Any) -> None:
    commit_id = git(source, "rev-parse", "HEAD")
    mlops("import", "git", "../maker", "data/deep", "-o", "raw", "--rev", commit_id[:9], code=0)
    changed(source, "9\n")
    assert mlops("update", "--json", code=0).data["imports"][0]["state"] == "fixed"
    assert not (repo / "raw/9.csv").exists()


def test_bytes_that_were_changed_here_are_never_lost(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "data/deep", "-o", "raw", code=0)
    (repo / "raw/3.csv").write_text("mine")
    pointer = (repo / "raw.mlops").read_text()
    changed(source, "9\n")
    refused = mlops("update", "--json", code=30)
    assert refused.error["code"] == "unsaved-bytes" and refused.error["details"]["paths"] == ["raw"]
    assert (repo / "raw/3.csv").read_text() == "mine"
    assert (repo / "raw.mlops").read_text() == pointer


def test_a_source_that_cannot_be_asked_is_no_update(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "data/deep", "-o", "raw", code=0)
    source.rename(source.parent / "away")
    failed = mlops("update", "--json", code=50)
    assert failed.error["code"] == "repository-unreachable"


def test_a_path_that_left_the_source_is_named(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "src/b.txt", code=0)
    (source / "src/b.txt").unlink()
    commit(source)
    failed = mlops("update", "--json", code=20)
    assert failed.error["code"] == "missing-path"
    assert (repo / "b.txt").read_text() == "b\n"


def test_a_url_is_looked_at_and_fetched_only_when_it_is_new(
    repo: Path, mlops: Any, web: Any
) -> None:
    mlops("import", "url", web.of("a", b"one"), code=0)
    web.asked.clear()
    assert mlops("update", "--json", code=0).data["imports"][0]["state"] == "current"
    assert [method for method, _, _ in web.asked] == ["HEAD"]
    web.of("a", b"two", "Wed, 02 Jan 2013 00:00:00 GMT")
    plan = mlops("update", "--dry-run", "--json", code=0).data["imports"][0]
    assert (plan["state"], plan["old"], plan["new"]) == (
        "changed",
        web.etag(b"one"),
        web.etag(b"two"),
    )
    assert (repo / "a").read_bytes() == b"one"
    mlops("update", code=0)
    assert (repo / "a").read_bytes() == b"two"


def test_a_url_without_marks_is_fetched_to_know(repo: Path, mlops: Any, web: Any) -> None:
    web.etags = False
    url = web.of("a", b"one")
    mlops("import", "url", url, code=0)
    web.of("a", b"two", "Wed, 02 Jan 2013 00:00:00 GMT")
    assert mlops("update", "--json", code=0).data["imports"][0]["state"] == "changed"
    web.of("a", b"two", "Thu, 03 Jan 2013 00:00:00 GMT")
    assert mlops("update", "--json", code=0).data["imports"][0]["state"] == "moved"


def test_only_imports_are_updated_and_revisions_are_of_git(
    repo: Path, mlops: Any, web: Any
) -> None:
    assert "Nothing was imported" in mlops("update", code=0).stdout
    mlops("import", "url", web.of("a", b"one"), code=0)
    refused = mlops("update", "a", "--rev", "main", "--json", code=2)
    assert refused.error["code"] == "bad-options"
