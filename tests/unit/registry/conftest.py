"""A git repository that commits, for the tests of the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.vcs.repo import Git


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git.init(tmp_path / "repo")
    with open(made.git_dir / "config", "a") as config:
        config.write("[user]\n name = Ada\n email = ada@example.com\n")
        config.write("[commit]\n gpgsign = false\n[tag]\n gpgsign = false\n")
    made.run("symbolic-ref", "HEAD", "refs/heads/main")
    made.run("commit", "-q", "--allow-empty", "-m", "first")
    return made
