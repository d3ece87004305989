"""A work tree for one revision, which leaves no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_cli.errors import NotFound
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.scratch import FOLDER, abandoned, scratch, sweep


@pytest.fixture
def two(repo: Path, git: Callable[..., str]) -> Git:
    for text in ("old", "new"):
        (repo / "a").write_text(text)
        git("add", "-A")
        git("commit", "-qm", text)
    return Git(repo)


def test_a_revision_stands_beside_the_tree_and_goes_without_a_trace(two: Git) -> None:
    (two.root / "a").write_text("mine")
    with scratch(two, "HEAD~1") as other:
        assert (other.root / "a").read_text() == "old"
        assert other.head().commit == two.rev_parse("HEAD~1")
        assert other.head().branch is None
        (other.root / "closed").mkdir(mode=0)
        assert two.dirty() == ["a"], "git status does not see the scratch"
    assert list((two.root / FOLDER).iterdir()) == [two.root / FOLDER / ".gitignore"]
    assert two.run("worktree", "list").count("\n") == 0
    assert (two.root / "a").read_text() == "mine"


def test_hooks_of_the_person_do_not_run(two: Git) -> None:
    hook = two.root / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    with scratch(two) as other:
        assert not (other.root / "ran").exists()


def test_an_unknown_revision_leaves_nothing(two: Git) -> None:
    with pytest.raises(NotFound), scratch(two, "nope"):
        pass
    assert not (two.root / FOLDER).exists()


def test_what_a_killed_process_left_is_swept_and_what_is_used_is_not(two: Git) -> None:
    script = (
        "import os,signal,subprocess,sys\nfrom pathlib import Path\n"
        "from mlops_cli.vcs.repo import Git\nfrom mlops_cli.vcs.scratch import scratch\n"
        "with scratch(Git(Path(sys.argv[1]))) as git:\n"
        "    print(subprocess.Popen(['sleep', '60'], cwd=git.root).pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, "-c", script, str(two.root)]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as done:
        assert done.stdout is not None
        left = int(done.stdout.readline())
    assert done.returncode == -signal.SIGKILL
    (dead,) = abandoned(two)
    assert (dead / "a").exists()
    with scratch(two) as other:
        assert not dead.exists()
        assert not Path(f"/proc/{left}/exe").exists(), "what it had started is ended"
        assert sweep(two) == 0
        assert (other.root / "a").exists()
    assert two.run("worktree", "list").count("\n") == 0
