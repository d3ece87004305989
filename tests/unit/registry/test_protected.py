"""What counts is what the protected branch says, whatever is checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli import config
from mlops_cli.errors import StateRefused
from mlops_cli.registry import protected
from mlops_cli.registry.allowed import FILE
from mlops_cli.vcs.repo import Git


def settings(git: Git) -> config.Settings:
    return config.load(git.root, environment={}, home=git.root / "home")


def commit(git: Git, path: str, text: str) -> None:
    place = git.root / path
    place.parent.mkdir(exist_ok=True)
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


def test_a_clone_that_checked_out_a_commit_has_that_of_the_remote(git: Git, tmp_path: Path) -> None:
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    git.run("clone", "-q", str(git.root), str(tmp_path / "clone"))
    clone = Git(tmp_path / "clone")
    clone.run("checkout", "-q", "--detach")
    clone.run("branch", "-q", "-D", "main")
    assert protected.branch(clone, settings(clone)).ref == "refs/remotes/origin/main"


def test_a_list_of_signers_that_nobody_protects_is_refused(git: Git) -> None:
    git.run("branch", "-m", "trunk")
    assert protected.branch(git, settings(git)).allowed() is None
    commit(git, FILE, "ada ssh-ed25519 AAAA\n")
    with pytest.raises(StateRefused) as caught:
        protected.branch(git, settings(git)).allowed()
    assert caught.value.code == "no-protected-branch"
