"""Our lines in the hooks of git."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.vcs.hooks import install, uninstall
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


def test_a_hook_in_another_language_is_refused_before_anything_is_written(git: Git) -> None:
    hook(git, "pre-push").parent.mkdir(exist_ok=True)
    hook(git, "pre-push").write_text("#!/usr/bin/env python3\n")
    with pytest.raises(StateRefused) as refused:
        install(git, {"pre-commit": "true", "pre-push": "true"})
    assert refused.value.code == "hook-in-the-way"
    assert not hook(git, "pre-commit").exists()


def test_the_folder_that_git_is_set_to_is_used(git: Git) -> None:
    git.run("config", "core.hooksPath", "my-hooks")
    assert install(git, {"pre-push": "true"}) == [git.root / "my-hooks" / "pre-push"]
