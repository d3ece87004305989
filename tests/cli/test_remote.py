"""`mlops remote`: places to keep data, without secrets in git."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_remote_is_added_listed_made_default_and_removed(
    repo: Path, mlops: Any, assert_valid: Any
) -> None:
    documents = [
        mlops("remote", "add", "origin", "../remote", "--json", code=0),
        mlops("remote", "add", "cloud", "s3://bucket/prefix/", "--region", "eu-west-1", "--json"),
        mlops("remote", "list", "--json", code=0),
        mlops("remote", "default", "cloud", "--json", code=0),
        mlops("remote", "remove", "origin", "--json", code=0),
    ]

    for document in documents:
        assert_valid(document.json)
    assert documents[0].data["default"] and not documents[1].data["default"]
    cloud, origin = documents[2].data["remotes"]
    assert origin["url"] == f"file://{repo.parent}/remote"
    assert (cloud["url"], cloud["options"]) == ("s3://bucket/prefix", {"region": "eu-west-1"})
    (left,) = mlops("remote", "list", "--json", code=0).data["remotes"]
    assert (left["name"], left["default"]) == ("cloud", True)


def test_a_relative_folder_is_kept_relative_to_the_project(repo: Path, mlops: Any) -> None:
    (repo / "deep").mkdir()

    mlops("remote", "add", "origin", "../../remote", cwd=repo / "deep", code=0)

    assert "url: ../remote" in (repo / ".mlops/config.yaml").read_text()


@pytest.mark.parametrize(
    "url", ["s3://AKIAIOSFODNN7EXAMPLE:secret@bucket/prefix", "https://me:secret@host/data"]
)
def test_credentials_in_a_url_are_refused_and_not_repeated(
    repo: Path, mlops: Any, url: str
) -> None:
    result = mlops("remote", "add", "origin", url, "--json")

    assert (result.code, result.error["code"]) == (10, "credentials-in-url")
    assert "secret" not in result.stdout.replace("AWS_SECRET_ACCESS_KEY", "")
    assert not (repo / ".mlops/config.yaml").exists()


def test_a_remote_is_not_replaced_unless_told_so(repo: Path, mlops: Any) -> None:
    mlops("remote", "add", "origin", "../one", "--region", "x", code=0)

    assert mlops("remote", "add", "origin", "../two", "--json").error["code"] == "remote-exists"
    mlops("remote", "add", "origin", "../two", "--force", code=0)
    (one,) = mlops("remote", "list", "--json").data["remotes"]
    assert one["url"].endswith("/two") and one["options"] == {}


def test_an_unknown_remote_cannot_be_removed(repo: Path, mlops: Any) -> None:
    assert mlops("remote", "remove", "nothing", "--json").error["code"] == "unknown-remote"
