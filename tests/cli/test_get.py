"""`mlops get` and `mlops ls URL`: bytes out of any repository, without tracking them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from makers import add, commit, git, maker, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return maker(tmp_path / "maker")


def test_it_works_outside_of_a_project_and_leaves_nothing_beside(
    source: Path, tmp_path: Path, mlops: Any, assert_valid: Any
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    got = mlops("get", "../maker", "big.bin", "--json", cwd=plain, code=0)
    assert_valid(got.json)
    assert (got.data["out"], got.data["size"], got.data["files"]) == ("big.bin", 2 << 20, 1)
    assert (plain / "big.bin").read_bytes() == (source / "big.bin").read_bytes()
    assert os.access(plain / "big.bin", os.X_OK) and os.access(plain / "big.bin", os.W_OK)
    mlops("get", f"file://{source}", "data/deep", "-o", "raw", cwd=plain, code=0)
    assert sorted(path.name for path in (plain / "raw").iterdir()) == [f"{n}.csv" for n in range(5)]
    mlops("get", "../maker", "src/a.py", "-o", "raw", cwd=plain, code=0)
    assert (plain / "raw/a.py").read_text() == "print(1)\n"
    assert sorted(path.name for path in plain.iterdir()) == ["big.bin", "raw"]


def test_it_takes_what_a_revision_had(source: Path, tmp_path: Path, mlops: Any) -> None:
    git(source, "tag", "v1")
    write(source, {"data/top.csv": "new\n"})
    add(source, "data")
    commit(source)
    for name, revision in (("new", "main"), ("top", "v1"), ("top", git(source, "rev-parse", "v1"))):
        mlops("get", "maker", "data/top.csv", "--rev", revision, "--force", cwd=tmp_path, code=0)
        assert (tmp_path / "top.csv").read_text() == f"{name}\n"


def test_what_is_there_stays_unless_forced(source: Path, tmp_path: Path, mlops: Any) -> None:
    (tmp_path / "top.csv").write_text("mine")
    refused = mlops("get", "maker", "data/top.csv", "--json", cwd=tmp_path, code=30)
    assert refused.error["code"] == "target-exists" and "--force" in refused.error["hint"]
    assert (tmp_path / "top.csv").read_text() == "mine"
    mlops("get", "maker", "data/top.csv", "--force", cwd=tmp_path, code=0)
    assert (tmp_path / "top.csv").read_text() == "top\n"


def test_what_cannot_be_had_is_named(source: Path, tmp_path: Path, mlops: Any) -> None:
    for words, code, exit_code in (
        (["maker", "nope"], "missing-path", 20),
        (["maker", "data/top.csv", "--rev", "nope"], "unknown-revision", 20),
        (["nowhere", "x"], "no-repository", 20),
        (["http://127.0.0.1:9/x.git", "x"], "repository-unreachable", 50),
        (["ext::sh -c id", "x"], "bad-git-url", 2),
        (["https://me:word@host/x", "x"], "credentials-in-url", 10),
        (["maker", ".."], "bad-path", 2),
    ):
        got = mlops("get", *words, "--json", cwd=tmp_path, code=exit_code)
        assert got.error["code"] == code and got.error["hint"], words
        assert "word" not in got.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maker"]


def test_offline_a_known_commit_works_and_a_branch_says_that_it_may_be_old(
    source: Path, tmp_path: Path, mlops: Any
) -> None:
    commit_id = git(source, "rev-parse", "HEAD")
    mlops("get", "maker", "src/b.txt", cwd=tmp_path, code=0)
    source.rename(tmp_path / "away")
    known = mlops("get", "maker", "src/b.txt", "-o", "1", "--rev", commit_id, cwd=tmp_path, code=0)
    assert known.stderr == "" and (tmp_path / "1").read_text() == "b\n"
    old = mlops("get", "maker", "src/b.txt", "-o", "2", "--json", cwd=tmp_path, code=0)
    assert "what was there before is used" in old.json["warnings"][0]
    fresh = mlops("get", "maker", "src/a.py", "-o", "3", "--json", cwd=tmp_path)
    assert fresh.code in (20, 50) and not (tmp_path / "3").exists()


def test_ls_looks_into_another_repository(
    source: Path, tmp_path: Path, mlops: Any, assert_valid: Any
) -> None:
    top = mlops("ls", "maker", "--json", cwd=tmp_path, code=0)
    assert_valid(top.json)
    assert [one["path"] for one in top.data["entries"]] == ["big.bin", "data"]
    deep = mlops("ls", "maker", "data/deep", "--json", cwd=tmp_path, code=0)
    assert [one["size"] for one in deep.data["entries"]] == [2] * 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maker"]
