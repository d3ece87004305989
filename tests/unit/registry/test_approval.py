"""Approvals: signed by real keys, counted by what the protected branch lists at the moment."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.encode import canonical_json
from mlops_cli.registry import approval
from mlops_cli.registry.approval import Approval
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.vcs import tagging
from mlops_cli.vcs.repo import Git

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TRAINERS = {"Ada@example.org"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of ada, bob and cyd."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "bob", "cyd"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            check=True,
        )
    return folder


@pytest.fixture
def version(repo: Path, git: Git) -> Version:
    """delay@v1 in a repository with a commit."""
    payload = {"digest": f"sha256:{1:064x}", "format": "onnx", "created": NOW.isoformat()}
    return Registry(Git(repo)).create("delay", payload)


def listed(keys: Path, **names: str) -> bytes:
    """Return an allowed-signers file: name=options."""
    lines = (
        f"{name}@example.org {options} {(keys / f'{name}.pub').read_text()}"
        for name, options in names.items()
    )
    return "".join(lines).encode()


def approve(repo: Path, version: Version, key: Path, **more: Any) -> Approval:
    words = {"actor": "Bob <bob@example.org>", "reason": "I looked", "time": NOW, **more}
    return approval.approve(Git(repo), version, "production", key=str(key), **words)


def counted(repo: Path, version: Version, allowed: bytes | None, **more: Any) -> dict[str, Any]:
    """Return by → why it does not count."""
    words: dict[str, Any] = {"trainers": TRAINERS, "at": NOW, **more}
    rows = approval.counted(Git(repo), version, "production", allowed=allowed, **words)
    assert all((row["why"] is None) == row["counts"] for row in rows)
    return {row["by"]: row["why"] for row in rows}


def test_an_approval_counts_for_whom_the_list_names_and_once_a_key(
    repo: Path, version: Version, keys: Path
) -> None:
    first = approve(repo, version, keys / "bob")
    assert approve(repo, version, keys / "bob", reason="again").tag == first.tag
    approve(repo, version, keys / "cyd")
    allowed = listed(keys, bob="", cyd='namespaces="mlops-approval"')
    assert counted(repo, version, allowed) == {"bob@example.org": None, "cyd@example.org": None}
    assert (
        approval.counted(Git(repo), version, "staging", allowed=allowed, trainers=TRAINERS, at=NOW)
        == []
    )


def test_the_trainer_the_unknown_the_expired_and_the_unlisted_do_not_count(
    repo: Path, version: Version, keys: Path
) -> None:
    for name in ("ada", "bob", "cyd"):
        approve(repo, version, keys / name, actor=f"{name} <{name}@example.org>")
    allowed = listed(keys, ada="", cyd='valid-before="20260201"')
    found = counted(repo, version, allowed)
    assert found["ada@example.org"] == "ada@example.org trained delay@v1"
    assert "is not among the allowed signers" in found["bob <bob@example.org>"]
    assert "did not count at 2026-03-01" in found["cyd <cyd@example.org>"]
    nobody = counted(repo, version, None)
    assert set(nobody.values()) == {"the protected branch lists no allowed signers"}
    february = counted(repo, version, allowed, at=datetime(2026, 1, 15, tzinfo=UTC))
    assert february["cyd@example.org"] is None, "it counted then"


def test_a_second_name_for_the_key_of_the_trainer_does_not_help(
    repo: Path, version: Version, keys: Path
) -> None:
    approve(repo, version, keys / "ada")
    key = (keys / "ada.pub").read_text()
    allowed = f"grace@example.org {key}ada@example.org {key}".encode()
    assert counted(repo, version, allowed) == {"grace@example.org": "grace@example.org trained"
                                               " delay@v1"}  # fmt: skip


def test_no_key_of_whom_signed_the_version_approves_it(repo: Path, git: Git, keys: Path) -> None:
    for name, value in (
        ("gpg.format", "ssh"),
        ("tag.gpgsign", "true"),
        ("user.signingkey", str(keys / "bob")),
    ):
        git.run("config", name, value)
    payload = {"digest": f"sha256:{1:064x}", "format": "onnx", "created": NOW.isoformat()}
    version = Registry(Git(repo)).create("delay", payload)
    approve(repo, version, keys / "bob")
    allowed = listed(keys, bob="")
    assert counted(repo, version, allowed) == {"bob@example.org": "this key signed delay@v1"}
    approve(repo, version, keys / "cyd", actor="Zed <zed@example.org>")
    second = f"BOB@example.org {(keys / 'cyd.pub').read_text()}".encode()
    found = counted(repo, version, allowed + second)
    assert found["BOB@example.org"] == "another key of BOB@example.org signed delay@v1"


def test_words_that_were_changed_after_they_were_signed_do_not_count(
    repo: Path, version: Version, keys: Path
) -> None:
    made = approve(repo, version, keys / "bob")
    git, allowed = Git(repo), listed(keys, bob="")
    folder = made.tag.rpartition("/")[0]
    lies: dict[str, Any] = {
        "reason": "they said more",
        "alias": "staging",
        "version": 2,
        "digest": f"sha256:{2:064x}",
        "payload": f"sha256:{3:064x}",
    }
    for n, (name, value) in enumerate(lies.items()):
        payload = {**made.statement, "signature": made.signature, name: value}
        tag = f"{folder}/{n:016x}"
        tagging.place(git, tag, tagging.make(git, tag, payload, subject="a lie", time=NOW))
    for n, text in enumerate(('{"schema": "mlops.approval/9", "signature": ""}', "[]", "{")):
        subprocess.run(
            ["git", "tag", "-a", "-m", f"x\n\n{text}", f"{folder}/{n:015x}f"], cwd=repo, check=True
        )
    rows = approval.counted(git, version, "production", allowed=allowed, trainers=TRAINERS, at=NOW)
    assert [row["tag"] for row in rows if row["counts"]] == [made.tag]
    why = " ".join(row["why"] or "" for row in rows)
    for words in (
        "is not of these bytes",
        "it was given for staging",
        "it was given for another version",
        "was another model then",
        "'mlops.approval/9' is not known",
        "holds no signed statement",
    ):
        assert words in why, words


def test_a_key_that_approved_from_another_clone_is_found_there(
    repo: Path, version: Version, keys: Path, tmp_path: Path
) -> None:
    there = str(tmp_path / "there.git")
    run = ("git", "clone", "-q", "--bare", str(repo), there)
    subprocess.run(run, check=True, capture_output=True)
    git = Git(repo)
    git.run("remote", "add", "origin", there)
    first = approve(repo, version, keys / "bob", remote="origin")
    git.run("tag", "-d", first.tag)
    again = approve(repo, version, keys / "bob", remote="origin", reason="once more")
    assert again.statement["reason"] == first.statement["reason"] == "I looked"


def test_what_is_signed_is_the_canonical_statement_without_its_signature(
    repo: Path, version: Version, keys: Path
) -> None:
    made = approve(repo, version, keys / "bob")
    (tag,) = approval.given(Git(repo), version, "production")
    assert isinstance(tag, Approval) and tag == made
    assert canonical_json(dict(made.statement)).startswith(b'{"actor":"Bob <bob@example.org>"')
