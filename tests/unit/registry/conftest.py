"""A git repository that commits, for the tests of the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlops_cli.vcs.repo import Git


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git.init(tmp_path / "repo")
    made.run("config", "user.name", "Ada")
    made.run("config", "user.email", "ada@example.com")
    made.run("config", "commit.gpgsign", "false")
    made.run("config", "tag.gpgsign", "false")
    made.run("symbolic-ref", "HEAD", "refs/heads/main")
    made.run("commit", "-q", "--allow-empty", "-m", "first")
    return made
