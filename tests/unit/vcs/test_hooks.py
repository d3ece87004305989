"""Our lines in the hooks of git."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlops_cli.vcs.hooks import install, installed, uninstall
from mlops_cli.vcs.repo import Git


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git.init(tmp_path / "repo")
    made.run("config", "user.name", "Ada")
    made.run("config", "user.email", "ada@example.com")
    return made


def hook(git: Git, name: str) -> Path:
    return git.root / ".git" / "hooks" / name


def test_a_hook_runs_and_a_failing_one_stops_git(git: Git) -> None:
    assert install(git, {"pre-commit": "touch ran"}) == [hook(git, "pre-commit")]
    assert install(git, {"pre-commit": "touch ran"}) == []
    git.run("commit", "--allow-empty", "-q", "-m", "m")
    assert (git.root / "ran").exists()
    install(git, {"pre-commit": "false"})
    assert git.call("commit", "--allow-empty", "-q", "-m", "m").code != 0
    assert uninstall(git) == [hook(git, "pre-commit")]
    assert not hook(git, "pre-commit").exists()


def test_the_hook_of_another_tool_goes_on_working(git: Git) -> None:
    theirs = "#!/usr/bin/env bash\ntouch theirs\nexec true\n"
    hook(git, "pre-commit").parent.mkdir(exist_ok=True)
    hook(git, "pre-commit").write_text(theirs)
    install(git, {"pre-commit": "touch ours"})
    git.run("commit", "--allow-empty", "-q", "-m", "m")
    assert (git.root / "theirs").exists()
    assert (git.root / "ours").exists()
    uninstall(git)
    assert hook(git, "pre-commit").read_text() == theirs


def test_a_hook_in_another_language_is_set_aside_and_called(git: Git) -> None:
    theirs = f"#!{sys.executable}\nopen('theirs', 'w').close()\n"
    hook(git, "pre-commit").parent.mkdir(exist_ok=True)
    hook(git, "pre-commit").write_text(theirs)
    hook(git, "pre-commit").chmod(0o755)
    install(git, {"pre-commit": "touch ours"})
    assert install(git, {"pre-commit": "touch ours"}) == []
    git.run("commit", "--allow-empty", "-q", "-m", "m")
    assert (git.root / "theirs").exists()
    assert (git.root / "ours").exists()
    uninstall(git)
    assert hook(git, "pre-commit").read_text() == theirs
    assert [path.name for path in hook(git, "x").parent.glob("pre-commit.b*")] == []


def test_a_hook_that_reads_its_input_still_has_it_after_ours(git: Git, tmp_path: Path) -> None:
    hook(git, "pre-push").parent.mkdir(exist_ok=True)
    hook(git, "pre-push").write_text('#!/bin/sh\ncat > theirs\necho "$1" >> theirs\n')
    hook(git, "pre-push").chmod(0o755)
    install(git, {"pre-push": "cat > ours"})
    git.run("commit", "--allow-empty", "-q", "-m", "$HOME `x`")
    git.run("init", "--bare", "-q", str(tmp_path / "bare"))
    git.run("push", "-q", str(tmp_path / "bare"), "HEAD:refs/heads/$x")
    said = (git.root / "theirs").read_text().splitlines()
    assert said == [*(git.root / "ours").read_text().splitlines(), str(tmp_path / "bare")]
    assert "refs/heads/$x" in said[0]
    git.run("push", "-q", str(tmp_path / "bare"), "HEAD:refs/heads/$x")  # nothing to push
    assert (git.root / "theirs").read_text().splitlines() == [str(tmp_path / "bare")]


def test_what_is_installed_is_known(git: Git) -> None:
    install(git, {"pre-push": "true", "post-merge": "true"})
    assert list(installed(git)) == ["post-merge", "pre-push"]


def test_the_folder_that_git_is_set_to_is_used(git: Git) -> None:
    git.run("config", "core.hooksPath", "my-hooks")
    assert install(git, {"pre-push": "true"}) == [git.root / "my-hooks" / "pre-push"]
