"""`mlops import git` and `mlops import url`: tracked here, pinned to what was there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from makers import add, commit, git, maker, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return maker(tmp_path / "maker")


def pointer(path: Path) -> Any:
    return json.loads(path.with_name(path.name + ".mlops").read_text())


def test_a_part_of_a_folder_is_tracked_with_its_pin(
    source: Path, repo: Path, mlops: Any, assert_valid: Any
) -> None:
    (repo / "sub").mkdir()
    got = mlops(
        "import", "git", "../../maker", "data/deep", "-o", "raw", "--rev", "main", "--json",
        cwd=repo / "sub", code=0,
    )  # fmt: skip
    assert_valid(got.json)
    said = pointer(repo / "sub/raw")
    assert said["source"] == {
        "kind": "git",
        "url": "../maker",  # from the project, wherever the person stood
        "path": "data/deep",
        "rev": "main",
        "commit": git(source, "rev-parse", "HEAD"),
        "digest": said["digest"],
    }
    assert said["push"] is False
    assert (repo / "sub/raw/3.csv").read_text() == "3\n"
    assert "/raw" in (repo / "sub/.gitignore").read_text()
    assert "as git says" in mlops("checkout", "--dry-run", code=0).stdout


def test_push_leaves_imports_out_and_pull_fetches_them_again(
    source: Path, repo: Path, mlops: Any, tmp_path: Path
) -> None:
    mlops("import", "git", "../maker", "big.bin", code=0)
    mlops("import", "git", "../maker", "data", "--no-download", code=0)
    assert not (repo / "data").exists()
    (repo / "own.txt").write_text("own")
    mlops("add", "own.txt", code=0)
    mlops("remote", "add", "origin", "../store", code=0)
    commit(repo)
    sent = mlops("push", "--json", code=0).data
    assert sent["objects"] == 1
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repo), str(clone))
    got = mlops("pull", "--json", cwd=clone, code=0).data
    assert got["imports"] == ["big.bin", "data"]
    assert (clone / "big.bin").read_bytes() == (source / "big.bin").read_bytes()
    assert os.access(clone / "big.bin", os.X_OK)
    assert (clone / "data/deep/3.csv").read_text() == "3\n"
    assert git(clone, "status", "--porcelain") == ""


def test_a_project_of_imports_alone_needs_no_remote(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "data/top.csv", "--no-download", code=0)
    mlops("pull", code=0)
    assert (repo / "top.csv").read_text() == "top\n"
    assert "Nothing" not in mlops("pull", code=0).stderr


def test_an_import_whose_source_is_gone_says_so_and_the_rest_comes(
    source: Path, repo: Path, mlops: Any, web: Any
) -> None:
    mlops("import", "git", "../maker", "data/top.csv", "--no-download", code=0)
    url = web.of("a.bin", b"one")
    mlops("import", "url", url, code=0)
    shutil.rmtree(repo / ".mlops/cache")
    (repo / "a.bin").unlink()
    web.of("a.bin", b"two", "Wed, 02 Jan 2013 00:00:00 GMT")
    lost = mlops("pull", "--json", code=40)
    assert lost.error["code"] == "source-changed" and "a.bin" in lost.error["message"]
    assert (repo / "top.csv").read_text() == "top\n"
    web.files.clear()
    gone = mlops("pull", "a.bin", "--json", code=20)
    assert gone.error["code"] == "missing-source"
    assert not (repo / "a.bin").exists()


def test_a_damaged_import_is_mended_from_its_source(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "big.bin", code=0)
    (large,) = [path for path in (repo / ".mlops/cache/objects").rglob("*") if path.is_file()]
    data = large.read_bytes()
    large.chmod(0o644)
    large.write_bytes(b"!" + data[1:])
    (repo / "big.bin").unlink()
    mlops("verify", code=40)
    mlops("verify", "--repair", code=0)
    mlops("checkout", code=0)
    assert (repo / "big.bin").read_bytes() == data


def test_imported_bytes_can_be_kept_on_our_remote(source: Path, repo: Path, mlops: Any) -> None:
    mlops("import", "git", "../maker", "data/top.csv", "--push", code=0)
    assert "push" not in pointer(repo / "top.csv")
    mlops("remote", "add", "origin", "../store", code=0)
    assert mlops("push", "--json", code=0).data["objects"] == 1
    shutil.rmtree(repo / ".mlops/cache")
    source.rename(source.parent / "away")
    (repo / "top.csv").unlink()
    mlops("pull", code=0)
    assert (repo / "top.csv").read_text() == "top\n"


def test_an_import_that_was_changed_here_becomes_ones_own(
    source: Path, repo: Path, mlops: Any
) -> None:
    mlops("import", "git", "../maker", "data/top.csv", code=0)
    (repo / "top.csv").write_text("mine\n")
    mlops("add", "top.csv", code=0)
    assert not {"source", "push"} & pointer(repo / "top.csv").keys()
    refused = mlops("update", "top.csv", "--json", code=20)
    assert refused.error["code"] == "not-imported"


def test_a_url_is_pinned_by_etag_and_time(
    repo: Path, mlops: Any, web: Any, assert_valid: Any
) -> None:
    data = os.urandom(2 << 20)
    url = web.of("deep/a%20b.bin", data)
    web.files["deep/a%20b.bin"] = data
    got = mlops("import", "url", url, "--json", code=0)
    assert_valid(got.json)
    said = pointer(repo / "a b.bin")
    assert said["source"] == {
        "kind": "url",
        "url": url,
        "etag": web.etag(data),
        "modified": web.modified["deep/a%20b.bin"],
        "size": len(data),
        "digest": said["digest"],
    }
    assert (repo / "a b.bin").read_bytes() == data


def test_an_object_of_s3_is_pinned(repo: Path, mlops: Any, s3: Any) -> None:
    url = s3.url()
    s3.filesystem().pipe_file(f"{url}/a.bin", b"one")
    where = ("--endpoint", s3.endpoint, "--region", "us-east-1")
    env = {name: value for name, value in s3.env.items() if "ENDPOINT" not in name}
    mlops("import", "url", f"{url}/a.bin", *where, env=env, code=0)
    said = pointer(repo / "a.bin")["source"]
    assert said["etag"] and said["options"] == {"endpoint": s3.endpoint, "region": "us-east-1"}
    s3.filesystem().pipe_file(f"{url}/a.bin", b"two!")
    got = mlops("update", "--json", env=env, code=0).data["imports"]
    assert [one["state"] for one in got] == ["changed"]
    assert (repo / "a.bin").read_bytes() == b"two!"


def test_what_is_refused_leaves_nothing(source: Path, repo: Path, mlops: Any) -> None:
    write(repo, {"own": "1", "held/1": "1", "kept.txt": "kept"})
    add(repo, "own", "held")
    commit(repo)
    write(repo, {"there": "unsaved"})
    before = git(repo, "status", "--porcelain")
    for words, code, exit_code in (
        (["git", "../maker", "nope"], "missing-path", 20),
        (["git", "../maker", "."], "missing-argument", 2),
        (["git", "../maker", "data", "-o", "../out"], "path-outside-project", 10),
        (["git", "../maker", "data", "-o", ".git/hooks/x"], "not-data", 2),
        (["git", "../maker", "data", "-o", "own"], "already-tracked", 30),
        (["git", "../maker", "data", "-o", "held"], "inside-tracked", 30),
        (["git", "../maker", "data", "-o", "kept.txt"], "already-in-git", 30),
        (["git", "../maker", "data", "-o", "there"], "unsaved-bytes", 30),
        (["url", "https://me:word@host/x"], "credentials-in-url", 10),
        (["url", "nothing.here"], "missing-source", 20),
        (["url", "strange://x/y"], "remote-kind-unknown", 10),
    ):
        got = mlops("import", *words, "--json", code=exit_code)
        assert got.error["code"] == code and got.error["hint"], words
        assert git(repo, "status", "--porcelain") == before
        assert (repo / "there").read_text() == "unsaved"
