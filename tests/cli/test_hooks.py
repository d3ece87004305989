"""`mlops hooks`: what git does by itself in a clone where they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_cli.config import Settings
from mlops_cli.project import open_project
from mlops_cli.workspace import track

PIPELINE = """\
version: 1
project: {name: days}
steps:
  count: {cmd: cp params.yaml out.txt, params: ['params.yaml:n'], outs: [out.txt]}
"""


@pytest.fixture
def shell(environment, repo):
    """shell("git", "commit", …): any command in the repository, with mlops on the PATH."""

    def run(*words: str, code: int | None = 0, cwd: Path | None = None) -> str:
        done = subprocess.run(
            words, cwd=cwd or repo, env=environment, capture_output=True, text=True, check=False
        )
        assert code is None or done.returncode == code, done
        return done.stdout + done.stderr

    return run


@pytest.fixture
def hooked(mlops, git, repo):
    """A repository with hooks, and data.csv in two versions: on main, and on other."""
    (repo / ".gitignore").write_text("/.mlops/*\n!/.mlops/lock/\n!/.mlops/config.yaml\n/out.txt\n")
    project = open_project(repo, Settings({}))
    for branch, text in (("main", "1"), ("other", "22")):
        if branch != "main":
            git("checkout", "-qb", branch)
        (repo / "data.csv").write_text(text)
        parts = {"git": project.git, "cache": project.cache, "stats": project.stats}
        track.add(repo, ["data.csv"], tracked=[], **parts)
        git("add", "-A")
        git("commit", "-qm", branch)
    mlops("hooks", "install", code=0)
    git("add", ".gitattributes")
    git("commit", "-qm", "attributes", "--no-verify")
    return repo


def test_they_are_installed_listed_and_taken_away(mlops, repo, git, assert_valid):
    hook = repo / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho theirs\n")
    result = mlops("hooks", "install", "--json", code=0)
    assert_valid(result.json)
    assert (len(result.data["changed"]), result.data["driver"]) == (5, True)
    assert "merge=mlops" in (repo / ".gitattributes").read_text()
    assert mlops("hooks", "install", code=0).stdout == "All of it is installed already.\n"
    listed = mlops("hooks", "list", "--json", code=0)
    assert_valid(listed.json)
    assert all(row["installed"] for row in listed.data["hooks"])
    assert "merge-driver %O %A %B %P" in listed.data["driver"]
    assert_valid(mlops("hooks", "uninstall", "--json", code=0).json)
    assert hook.read_text() == "#!/bin/sh\necho theirs\n"
    assert git("config", "--list").count("merge.mlops") == 0
    assert "not here" in mlops("hooks", "list", code=0).stdout
    assert "[unknown-hook]" in mlops("hooks", "run", "pre-comit", code=2).stderr


def test_data_follows_the_branch_and_unsaved_bytes_stay(shell, hooked):
    assert "Brought 1 path" in shell("git", "checkout", "main")
    assert (hooked / "data.csv").read_text() == "1"
    (hooked / "data.csv").write_text("unsaved")
    assert "left alone" in shell("git", "checkout", "other")
    assert (hooked / "data.csv").read_text() == "unsaved"
    (hooked / "data.csv.mlops").write_text("not a pointer")
    assert "not brought along" in shell("git", "checkout", "--", ".gitignore")  # and never fails
    shell("git", "checkout", "--", "data.csv.mlops")


def test_a_work_tree_of_its_own_has_the_hooks_too(shell, hooked, tmp_path):
    said = shell("git", "worktree", "add", str(tmp_path / "tree"), "main")
    assert "mlops pull data.csv" in said or (tmp_path / "tree/data.csv").read_text() == "1"
    (tmp_path / "tree/big.bin").write_bytes(bytes(10 << 20))
    shell("git", "add", "-A", cwd=tmp_path / "tree")
    assert "big.bin" in shell("git", "commit", "-qm", "big", code=1, cwd=tmp_path / "tree")


def test_a_commit_of_large_or_changed_data_is_blocked(shell, mlops, hooked, assert_valid):
    (hooked / "big.bin").write_bytes(bytes(10 << 20))
    assert "nothing keeps it: mlops add big.bin" in shell(
        "git", "commit", "--allow-empty", "-m", "x"
    )
    shell("git", "add", "big.bin")
    said = shell("git", "commit", "-m", "big", code=1)
    assert "large  big.bin: 10.0 MiB, too large for git" in said
    assert "→ git rm --cached big.bin && mlops add big.bin" in said
    shell("git", "rm", "-q", "--cached", "big.bin")
    (hooked / "big.bin").unlink()
    (hooked / "data.csv").write_text("edited")
    result = mlops("hooks", "run", "pre-commit", "--json", code=1)
    assert_valid(result.json)
    (objection,) = result.data["objections"]
    assert (objection["name"], objection["kind"]) == ("data.csv", "changed")
    shell("git", "commit", "--allow-empty", "--no-verify", "-m", "all the same")
    mlops("config", "set", "hooks.stale", "warn", code=0)
    assert "warning: data.csv" in shell("git", "commit", "--allow-empty", "-m", "warned")


def test_a_commit_that_leaves_a_step_stale_is_blocked_and_any_other_is_not(shell, mlops, hooked):
    (hooked / "pipeline.yaml").write_text(PIPELINE)
    (hooked / "params.yaml").write_text("n: 1\n")
    shell("git", "add", "-A")
    assert "warning: count: it never ran" in shell("git", "commit", "-m", "new")
    mlops("run", code=0)
    (hooked / "params.yaml").write_text("n: 2\n")
    (hooked / "README").write_text("about\n")
    shell("git", "add", "README")
    # git gives its hooks another index where the commit is not of what is staged
    assert "param n 1 → 2" in shell("git", "commit", "-am", "params", code=1)
    assert "warning: count" in shell("git", "commit", "-m", "README alone")
    mlops("run", code=0)
    shell("git", "commit", "-qam", "params")


def test_data_is_pushed_before_commits_and_a_failing_push_blocks(
    shell, mlops, git, hooked, tmp_path
):
    hub, store = tmp_path / "hub.git", tmp_path / "store"
    shell("git", "init", "-q", "--bare", str(hub))
    shell("git", "remote", "add", "origin", str(hub))
    shell("git", "push", "-q", "origin", "main")  # there is no remote for data: nothing to do
    mlops("remote", "add", "store", f"file://{store}", code=0)
    store.write_text("in the way")
    shell("git", "push", "-q", "origin", "other", code=1)
    assert git("ls-remote", str(hub), "other") == ""
    store.unlink()
    assert "Sent the data of 1 path" in shell("git", "push", "origin", "other")
    assert "other" in git("ls-remote", str(hub), "other")
    (hooked / "data.csv").unlink()
    (hooked / ".mlops/cache").rename(tmp_path / "elsewhere")
    mlops("pull", code=0)  # what was pushed is whole, though main was checked out by nobody
    assert (hooked / "data.csv").read_text() == "22"


def test_what_was_committed_in_between_is_pushed_as_well(shell, mlops, git, hooked, tmp_path):
    shell("git", "init", "-q", "--bare", str(tmp_path / "hub.git"))
    shell("git", "remote", "add", "origin", str(tmp_path / "hub.git"))
    mlops("remote", "add", "store", f"file://{tmp_path / 'store'}", code=0)
    shell("git", "push", "-q", "origin", "other")  # made of two versions
    (hooked / ".mlops/cache").rename(tmp_path / "elsewhere")
    git("checkout", "-q", "main", "--", "data.csv.mlops")
    (hooked / "data.csv").unlink()
    mlops("pull", "data.csv", code=0)
    assert (hooked / "data.csv").read_text() == "1"


def test_the_tool_pre_commit_runs_them_with_the_mlops_of_the_project(shell, hooked, environment):
    manifest = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
    tool = hooked.parent / "tool"
    tool.mkdir()
    (tool / ".pre-commit-hooks.yaml").write_text(manifest.read_text())
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    shell("git", "init", "-q", cwd=tool)
    shell("git", "-C", str(tool), "-c", "user.name=a", "-c", "user.email=a@b", "add", "-A")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    shell("git", *identity, "commit", "-qm", "hooks", cwd=tool)
    commit = shell("git", "rev-parse", "HEAD", cwd=tool).strip()
    (hooked / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {tool}\n    rev: {commit}\n    hooks:\n"
        "      - id: mlops-pre-commit\n      - id: mlops-post-checkout\n"
    )
    shell("mlops", "hooks", "uninstall")
    types = ("--hook-type", "pre-commit", "--hook-type", "post-checkout")
    shell(sys.executable, "-m", "pre_commit", "install", *types)
    (hooked / "big.bin").write_bytes(bytes(10 << 20))
    shell("git", "add", "-A")
    said = shell("git", "commit", "-m", "big", code=1)
    assert "too large for git" in said
    shell("git", "rm", "-q", "--cached", "big.bin")
    shell("git", "commit", "-qm", "config")
    shell("git", "checkout", "-q", "main", "--", "data.csv.mlops")
    shell("git", "commit", "-qm", "older data")
    shell("git", "checkout", "-q", "HEAD~1")
    shell("git", "checkout", "-q", "other")
    assert (hooked / "data.csv").read_text() == "1"


def test_a_hook_with_nothing_to_do_is_quick(mlops, hooked, environment, console_script):
    def cost(*words: str, told: bytes = b"") -> float:
        begun = os.times()
        done = subprocess.run(
            [console_script, *words], cwd=hooked, env=environment, input=told, check=True
        )
        assert done.returncode == 0
        ended = os.times()
        return (
            ended.children_user
            + ended.children_system
            - begun.children_user
            - begun.children_system
        )

    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=hooked, text=True).strip()
    for words in (("pre-commit",), ("post-checkout", head, head, "1"), ("post-merge", "0")):
        assert min(cost("hooks", "run", *words) for _ in range(2)) < 0.3, words
    mlops("remote", "add", "store", "../store", code=0)
    told = f"refs/heads/other {head} refs/heads/other {'0' * 40}\n".encode()
    mlops("hooks", "run", "pre-push", "origin", input=told.decode(), code=0)
    assert min(cost("hooks", "run", "pre-push", "origin", told=told) for _ in range(2)) < 0.3
