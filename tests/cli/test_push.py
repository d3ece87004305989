"""`mlops push`: what the remote lacks is sent, verified, in few requests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(repo: Path, mlops: Any) -> Path:
    """A repository with a folder of small files, one large file, and a remote folder."""
    (repo / "data").mkdir()
    for number in range(40):
        (repo / "data" / f"{number}.csv").write_text(f"{number}\n")
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "data", "big.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    return repo


def test_a_push_sends_once_what_is_missing(project: Path, mlops: Any, assert_valid: Any) -> None:
    first = mlops("push", "--json", code=0)
    second = mlops("push", "--json", code=0)

    assert_valid(first.json)
    assert first.data["objects"] == 42  # 40 files, their folder, the large one
    assert (second.data["objects"], second.data["held"]) == (0, 0)
    remote = project.parent / "remote"
    assert (remote / "format.json").is_file()
    assert len(list((remote / "packs").iterdir())) == 1
    assert not [name for name in remote.rglob("*") if name.name.startswith(".tmp")]


def test_a_dry_run_sends_nothing(project: Path, mlops: Any) -> None:
    plan = mlops("push", "--dry-run", "--json", code=0).data

    assert plan["dry_run"] and plan["objects"] == 42
    assert plan["bytes"] > 1 << 20
    assert not (project.parent / "remote").exists()


def test_one_path_can_be_pushed_alone(project: Path, mlops: Any) -> None:
    assert mlops("push", "big.bin", "--json", code=0).data["objects"] == 1


def test_without_a_remote_it_says_how_to_add_one(repo: Path, mlops: Any) -> None:
    result = mlops("push", "--json")
    assert (result.code, result.error["code"]) == (20, "no-remote")
    assert "mlops remote add" in result.error["hint"]


def test_an_unknown_remote_is_told_with_the_known_ones(project: Path, mlops: Any) -> None:
    result = mlops("push", "--remote", "orign", "--json")
    assert result.error["code"] == "unknown-remote"
    assert "origin" in result.error["hint"]


def test_a_damaged_object_is_refused_by_path_and_never_arrives(project: Path, mlops: Any) -> None:
    digest = next(
        one["digest"] for one in mlops("ls", "--json").data["entries"] if one["path"] == "big.bin"
    ).removeprefix("sha256:")
    place = project / ".mlops/cache/objects" / digest[:2] / digest[2:]
    place.chmod(0o644)
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)

    result = mlops("push", "--json")

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert result.error["details"]["damaged"][0]["path"] == "big.bin"
    assert result.error["hint"] == "mlops verify --repair"
    assert not (project.parent / "remote/objects" / digest[:2]).exists() or not list(
        (project.parent / "remote/objects" / digest[:2]).iterdir()
    )
    # the good copy in the workspace mends it, and the same push goes through
    mlops("verify", "--repair", code=0)
    mlops("push", code=0)


def test_a_push_to_s3_needs_no_more_than_the_environment(
    project: Path, mlops: Any, s3: Any
) -> None:
    mlops("remote", "add", "cloud", s3.url(), "--endpoint", s3.endpoint, code=0)

    sent = mlops("push", "-r", "cloud", "--json", env=s3.env, code=0).data
    again = mlops("push", "-r", "cloud", "--json", env=s3.env, code=0).data

    assert (sent["objects"], again["objects"]) == (42, 0)
    assert again["requests"] <= 4
