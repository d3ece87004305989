"""`mlops add`: bytes to the cache, a pointer to git, and nothing by surprise."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest


def test_a_folder_becomes_a_pointer_that_git_can_keep(
    repo: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (repo / "data/raw/empty").mkdir(parents=True)
    (repo / "data/raw/a.csv").write_text("1\n")
    (repo / "data/raw/b.csv").write_text("22\n")

    result = mlops("add", "data/raw", "--json", code=0)

    assert_valid(result.json)
    (added,) = result.data["added"]
    assert (added["path"], added["kind"], added["files"], added["size"]) == (
        "data/raw",
        "tree",
        2,
        5,
    )
    pointer = json.loads((repo / "data/raw.mlops").read_text())
    assert pointer == {
        "schema": "mlops.pointer/1",
        "path": "raw",
        "digest": added["digest"],
        "kind": "tree",
        "size": 5,
        "files": 2,
    }
    assert git("status", "--porcelain", "-uall").split("\n")[:-1] == [
        "?? data/.gitignore",
        "?? data/raw.mlops",
    ]


def test_several_paths_and_patterns_are_taken_at_once(repo: Path, mlops: Any) -> None:
    for name in ("a.bin", "b.bin", "c.txt"):
        (repo / name).write_bytes(name.encode())

    result = mlops("add", "*.bin", "c.txt", "--json", code=0)

    assert [one["path"] for one in result.data["added"]] == ["a.bin", "b.bin", "c.txt"]
    again = mlops("add", "*.bin", "--json", code=0)
    assert [one["changed"] for one in again.data["added"]] == [False, False]


def test_pointers_among_the_names_stand_for_their_data(repo: Path, mlops: Any) -> None:
    (repo / "a.bin").write_bytes(b"a")
    mlops("add", "a.bin", code=0)

    result = mlops("add", "a.bin", "a.bin.mlops", "--json", code=0)

    assert [one["path"] for one in result.data["added"]] == ["a.bin"]


def test_paths_are_seen_from_where_the_person_stands(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1")

    mlops("add", "a.csv", cwd=repo / "data", code=0)

    assert (repo / "data/a.csv.mlops").is_file()
    assert "/a.csv" in (repo / "data/.gitignore").read_text()


def test_a_change_makes_a_new_version_in_the_pointer(repo: Path, mlops: Any) -> None:
    (repo / "a.csv").write_text("1")
    first = mlops("add", "a.csv", "--json", code=0).data["added"][0]
    (repo / "a.csv").write_text("2")
    second = mlops("add", "a.csv", "--json", code=0).data["added"][0]

    assert second["changed"] and second["digest"] != first["digest"]
    assert (repo / ".gitignore").read_text().count("/a.csv") == 1


def test_what_mlopsignore_names_stays_out(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1")
    (repo / "data/a.tmp").write_text("2")
    (repo / ".mlopsignore").write_text("*.tmp\n")

    added = mlops("add", "data", "--json", code=0).data["added"][0]

    assert added["files"] == 1


@pytest.mark.parametrize(
    ("path", "code", "exit_code"),
    [
        ("../outside.csv", "path-outside-project", 10),
        ("/etc/hostname", "path-outside-project", 10),
        ("nothing-here.csv", "missing-path", 20),
        ("*.nothing", "no-match", 20),
        (".", "not-data", 2),
        (".git/config", "not-data", 2),
        (".mlops/config.yaml", "not-data", 2),
        ("kept.py", "already-in-git", 30),
        ("src", "already-in-git", 30),
        ("leaving", "is-a-link", 30),
        ("leaving/x", "path-outside-project", 10),
        ("around", "is-a-link", 30),
        ("data/gone", "missing-path", 20),
        ("data.bin/inner", "inside-tracked", 30),
        ("made/by/step.bin", "made-by-step", 30),
    ],
)
def test_what_cannot_be_tracked_is_refused_with_a_hint(
    repo: Path, mlops: Any, git: Any, assert_valid: Any, path: str, code: str, exit_code: int
) -> None:
    (repo.parent / "outside.csv").write_text("1")
    (repo / "kept.py").write_text("1")
    (repo / "src").mkdir()
    (repo / "src/kept.py").write_text("1")
    git("add", "kept.py", "src")
    (repo / "leaving").symlink_to("..")
    (repo / "around").symlink_to("kept.py")
    (repo / "data/inner").mkdir(parents=True)
    (repo / "data/inner/a").write_text("1")
    (repo / "data.bin").write_text("1")
    mlops("add", "data", "data.bin", code=0)
    (repo / "data.bin").unlink()
    (repo / "data.bin").mkdir()
    (repo / "data.bin/inner").write_text("1")
    (repo / "made/by").mkdir(parents=True)
    (repo / "made/by/step.bin").write_text("1")
    lock = {"step": "s", "outputs": {"made": {"digest": f"sha256:{'0' * 64}", "kind": "tree"}}}
    (repo / ".mlops/lock").mkdir(parents=True, exist_ok=True)
    (repo / ".mlops/lock/s.json").write_text(json.dumps(lock))
    before = git("status", "--porcelain", "-uall")

    result = mlops("add", path, "--json")

    assert_valid(result.json)
    assert (result.error["code"], result.code) == (code, exit_code)
    assert result.error["hint"]
    assert git("status", "--porcelain", "-uall") == before


def test_one_refused_path_means_that_none_is_added(repo: Path, mlops: Any) -> None:
    (repo / "a.csv").write_text("1")

    assert mlops("add", "a.csv", "missing.csv").code == 20
    assert not (repo / "a.csv.mlops").exists()


def test_a_folder_that_holds_tracked_data_is_refused(repo: Path, mlops: Any) -> None:
    (repo / "data/raw").mkdir(parents=True)
    (repo / "data/raw/a").write_text("1")
    mlops("add", "data/raw", code=0)

    assert mlops("add", "data", "--json").error["code"] == "holds-tracked"


def test_outside_of_git_it_says_how_to_begin(tmp_path: Path, mlops: Any) -> None:
    (tmp_path / "a").write_text("1")

    result = mlops("add", "a", "--json", cwd=tmp_path)

    assert (result.code, result.error["code"]) == (30, "not-a-git-repository")


def test_the_cache_never_shows_in_git(repo: Path, mlops: Any, git: Any) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)

    git("add", "-A")

    assert git("diff", "--cached", "--name-only").split() == [".gitignore", "a.csv.mlops"]


def test_names_that_git_would_read_as_patterns_are_ignored_exactly(
    repo: Path, mlops: Any, environment: dict[str, str]
) -> None:
    for name in ("a[1].csv", "a1.csv", "!b.csv", "#c.csv"):
        (repo / name).write_text(name)

    mlops("add", "a[1].csv", "!b.csv", "#c.csv", code=0)

    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=repo,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    assert "a1.csv" in listed
    assert not {"a[1].csv", "!b.csv", "#c.csv"} & set(listed)


def test_a_dry_run_tells_and_stores_nothing(repo: Path, mlops: Any, assert_valid: Any) -> None:
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1")
    (repo / "one.bin").write_text("1")
    mlops("add", "data", code=0)
    (repo / "data/b.csv").write_text("2")

    result = mlops("add", "data/*.csv", "one.bin", "--dry-run", "--json", code=0)

    assert_valid(result.json)
    assert [(one["path"], one["pointer"], one["changed"]) for one in result.data["added"]] == [
        ("data/a.csv", "data.mlops", False),
        ("data/b.csv", "data.mlops", True),
        ("one.bin", "one.bin.mlops", True),
    ]
    assert not (repo / "one.bin.mlops").exists()
    assert "Nothing was stored." in mlops("add", "one.bin", "--dry-run", code=0).stdout


def test_straight_to_the_remote_the_disk_holds_the_bytes_once(
    repo: Path, mlops: Any, tmp_path: Path, git: Any
) -> None:
    mlops("remote", "add", "far", f"file://{tmp_path}/far", code=0)
    (repo / "data/empty").mkdir(parents=True)
    (repo / "data/big.bin").write_bytes(os.urandom(3 << 20))
    (repo / "data/small.csv").write_text("1")
    (repo / "data/link").symlink_to("small.csv")

    mlops("add", "data", "--to-remote", code=0)

    stored = sum(p.stat().st_size for p in (repo / ".mlops/cache").rglob("*") if p.is_file())
    assert stored < 1 << 20
    git("add", "-A")
    git("commit", "-qm", "one")
    clone = tmp_path / "clone"
    git("clone", "-q", str(repo), str(clone))
    mlops("pull", code=0, cwd=clone)
    assert (clone / "data/big.bin").read_bytes() == (repo / "data/big.bin").read_bytes()
    assert str((clone / "data/link").readlink()) == "small.csv"
    (repo / "data/more.csv").write_text("2")
    mlops("add", "data/more.csv", "--to-remote", code=0)
    assert mlops("push", "--json", code=0).data["objects"] == 0
    refused = mlops("add", "data", "--to-remote", "--no-push", "--json")
    assert refused.error["code"] == "bad-value"


def test_a_remote_and_whether_to_push_stand_in_the_pointer(
    repo: Path, mlops: Any, tmp_path: Path
) -> None:
    (repo / "a.csv").write_text("1")
    assert mlops("add", "a.csv", "--remote", "far", "--json").error["code"] == "unknown-remote"
    mlops("remote", "add", "far", f"file://{tmp_path}/far", code=0)

    mlops("add", "a.csv", "--remote", "far", "--no-push", code=0)

    pointer = json.loads((repo / "a.csv.mlops").read_text())
    assert (pointer["remote"], pointer["push"]) == ("far", False)


def test_a_part_is_added_where_only_the_remote_has_the_listing(
    repo: Path, mlops: Any, tmp_path: Path, git: Any
) -> None:
    mlops("remote", "add", "far", f"file://{tmp_path}/far", code=0)
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1")
    mlops("add", "data", code=0)
    mlops("push", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    clone = tmp_path / "clone"
    git("clone", "-q", str(repo), str(clone))
    (clone / "data").mkdir()
    (clone / "data/b.csv").write_text("2")

    (added,) = mlops("add", "data/b.csv", "--json", code=0, cwd=clone).data["added"]

    assert (added["path"], added["files"], added["parts"]) == ("data", 2, ["data/b.csv"])
    assert mlops("push", "--json", code=0, cwd=clone).data["missing"] == []


def test_fewer_files_than_before_are_told(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    for name in "abc":
        (repo / "data" / name).write_text(name)
    (repo / "data/link").symlink_to("a")
    mlops("add", "data", code=0)
    plan = mlops("add", "data/link", "--dry-run", "--json", code=0).data["added"]
    assert [one["changed"] for one in plan] == [False]
    (repo / "data/a").unlink()
    (repo / "data/b").unlink()

    assert "2 files (4 before)" in mlops("add", "data", code=0).stdout
