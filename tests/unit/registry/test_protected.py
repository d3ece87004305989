"""What counts is what the protected branch says, whatever is checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli import config
from mlops_cli.errors import ConfigError, OutsideWorld, StateRefused
from mlops_cli.registry import protected
from mlops_cli.registry.allowed import FILE
from mlops_cli.vcs.repo import Git


def settings(git: Git) -> config.Settings:
    return config.load(git.root, environment={}, home=git.root / "home")


def commit(git: Git, path: str, text: str) -> None:
    place = git.root / path
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_text(text)
    git.run("add", "-f", path)
    git.run("commit", "-q", "-m", path)


def test_a_candidate_that_names_itself_protected_is_not(git: Git) -> None:
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    git.run("checkout", "-q", "-b", "candidate")
    commit(git, FILE, "eve ssh-ed25519 AAAA\n")
    commit(git, ".mlops/config.yaml", "trust:\n  branches: candidate\n")
    found = protected.branch(git, settings(git))
    assert (found.ref, found.allowed()) == ("refs/heads/main", b"ada ssh-ed25519 AAAA\n")


def test_what_main_says_of_branches_counts(git: Git) -> None:
    commit(git, ".mlops/config.yaml", "trust:\n  branches: release-*\n")
    assert protected.branch(git, settings(git)).ref is None
    git.run("branch", "release-2")
    assert protected.branch(git, settings(git)).ref == "refs/heads/release-2"


def cloned(git: Git, folder: Path, *args: str) -> Git:
    git.run("clone", "-q", *args, f"file://{git.root}", str(folder))
    clone = Git(folder)
    clone.run("config", "user.name", "Eve")
    clone.run("config", "user.email", "eve@example.com")
    return clone


def test_what_the_remote_has_counts_and_no_commit_on_a_local_main(git: Git, tmp_path: Path) -> None:
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    clone = cloned(git, tmp_path / "clone")
    commit(clone, FILE, "eve ssh-ed25519 AAAA\n")
    found = protected.branch(clone, settings(clone))
    assert (found.name, found.remote) == ("origin/main", True)
    assert found.allowed() == b"ada ssh-ed25519 AAAA\n"
    clone.run("switch", "-q", "--detach")
    clone.run("branch", "-q", "-D", "main")
    assert protected.branch(clone, settings(clone)).ref == "refs/remotes/origin/main"


def test_a_branch_that_no_remote_has_counts_as_it_is_here(git: Git, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git.run("init", "-q", "--bare", str(bare))
    git.run("remote", "add", "origin", str(bare))
    assert protected.branch(git, settings(git), fresh=True).ref == "refs/heads/main"
    git.run("push", "-q", "origin", "main:main")
    assert protected.branch(git, settings(git), fresh=True).ref == "refs/remotes/origin/main"


def test_of_several_remotes_it_is_the_one_that_main_follows_or_origin(
    git: Git, tmp_path: Path
) -> None:
    clone = cloned(git, tmp_path / "clone")
    for name in ("ada", "eve"):
        clone.run("remote", "add", name, str(git.root))
        clone.run("fetch", "-q", name)
    clone.run("switch", "-q", "-c", "candidate", "--track", "eve/main")
    assert protected.branch(clone, settings(clone)).ref == "refs/remotes/origin/main"
    clone.run("branch", "-q", "--set-upstream-to", "ada/main", "main")
    assert protected.branch(clone, settings(clone)).ref == "refs/remotes/ada/main"
    clone.run("branch", "-q", "--unset-upstream", "main")
    clone.run("remote", "remove", "origin")
    assert protected.branch(clone, settings(clone)).ref == "refs/heads/main", "nobody says which"


def test_who_decides_asks_the_remote_first(git: Git, tmp_path: Path) -> None:
    clone = cloned(git, tmp_path / "clone")
    git.run("switch", "-q", "-c", "work")
    alone = cloned(git, tmp_path / "alone", "--single-branch", "--branch", "work")
    git.run("switch", "-q", "main")
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    assert protected.branch(clone, settings(clone)).allowed() is None
    for one in (clone, alone):
        found = protected.branch(one, settings(one), fresh=True)
        assert found.allowed() == b"ada ssh-ed25519 AAAA\n"
    clone.run("remote", "set-url", "origin", str(tmp_path / "gone"))
    with pytest.raises(OutsideWorld) as caught:
        protected.branch(clone, settings(clone), fresh=True)
    assert caught.value.code == "registry-unreachable"
    commit(clone, ".mlops/config.yaml", "registry:\n  share: false\n")
    assert protected.branch(clone, settings(clone), fresh=True).remote


def test_a_list_of_signers_that_nobody_protects_is_refused(git: Git) -> None:
    git.run("branch", "-m", "trunk")
    assert protected.branch(git, settings(git)).allowed() is None
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    with pytest.raises(StateRefused) as caught:
        protected.branch(git, settings(git)).allowed()
    assert caught.value.code == "no-protected-branch"


def test_a_folder_where_the_list_of_signers_should_be_is_not_the_absence_of_one(git: Git) -> None:
    commit(git, f"{FILE}/ada", "ada ssh-ed25519 AAAA\n")
    with pytest.raises(ConfigError, match="is no file") as caught:
        protected.branch(git, settings(git)).allowed()
    assert caught.value.code == "bad-allowed-signers"
