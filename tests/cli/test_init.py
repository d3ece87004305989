"""`mlops init`: a new project, complete and committed, from a template."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys

import pytest
import yaml


def test_init_makes_a_whole_project_with_one_commit(mlops, repo, git, assert_valid):
    result = mlops("init", "--name", "days", "--json", code=0)
    assert_valid(result.json)
    assert git("log", "--format=%s").splitlines() == ["init: days, from the template minimal"]
    assert git("status", "--porcelain") == ""
    assert set(result.data["files"]) == set(git("ls-files").split())
    assert {"pipeline.yaml", ".github/workflows/mlops.yml", "data/days.csv.mlops"} <= set(
        result.data["files"]
    )
    assert result.data["commit"] == git("rev-parse", "HEAD").strip()


def test_the_data_of_the_template_is_in_the_cache_and_only_a_pointer_is_in_git(mlops, repo, git):
    mlops("init", code=0)
    assert (repo / "data" / "days.csv").is_file()
    assert "data/days.csv" not in git("ls-files").split()
    (repo / "data" / "days.csv").unlink()
    mlops("checkout", code=0)
    assert (repo / "data" / "days.csv").read_text().startswith("date,flights,late_share")


def test_init_makes_the_git_repository_when_there_is_none(mlops, tmp_path, git, environment):
    who = {f"GIT_{role}_{what}": "ada@example.org" for role in ("AUTHOR", "COMMITTER")
           for what in ("NAME", "EMAIL")}  # fmt: skip
    mlops("init", "new", cwd=tmp_path, env=who, code=0)
    assert git("log", "--format=%s", cwd=tmp_path / "new").startswith("init: new")


def test_the_answers_stand_in_the_project_section(mlops, repo):
    mlops(
        "init",
        *("--name", "Day delays", "--goal", "Don't be late: ever"),
        *("--kpi", "mae <= 0.1", "--owner", "ada", "--owner", "ops=grace"),
        code=0,
    )
    project = yaml.safe_load((repo / "pipeline.yaml").read_text())["project"]
    assert project == {
        "name": "Day delays",
        "goal": "Don't be late: ever",
        "kpi": {"metric": "mae", "at_most": 0.1},
        "task": "regression",
        "owners": {"science": "ada", "ops": "grace"},
    }


def test_on_a_terminal_it_asks_and_an_empty_answer_keeps_what_the_template_says(
    console_script, environment, repo
):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [console_script, "init"], cwd=repo, env=environment, stdin=terminal, stdout=terminal,
        stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    for question, reply in (("Name", "days"), ("Goal", ""), ("KPI", "mae <= 0.2"), ("Owner", "")):
        while not shown.rstrip().endswith(b":") or question.encode() not in shown:
            shown += os.read(controller, 1024)
        os.write(controller, f"{reply}\n".encode())
        shown = b""
    try:
        while os.read(controller, 1024):
            pass
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(controller)
    assert process.wait(timeout=60) == 0
    project = yaml.safe_load((repo / "pipeline.yaml").read_text())["project"]
    assert project["name"] == "days"
    assert project["goal"].startswith("Tell from the weather")
    assert project["kpi"] == {"metric": "mae", "at_most": 0.2}


@pytest.mark.parametrize(
    ("option", "value"), [("--kpi", "roc auc > 1"), ("--name", "a: b"), ("--name", "")]
)
def test_an_answer_that_makes_no_sense_is_refused_before_anything_is_written(
    mlops, repo, option, value
):
    result = mlops("init", option, value, code=2)
    assert "[bad-value]" in result.stderr
    assert [path.name for path in repo.iterdir()] == [".git"]


def test_init_refuses_to_write_over_files_and_names_them(mlops, repo, assert_valid):
    (repo / "pipeline.yaml").write_text("mine\n")
    (repo / "src").mkdir()
    (repo / "src" / "fit.py").write_text("mine\n")
    result = mlops("init", "--json", code=30)
    assert_valid(result.json)
    assert result.error["code"] == "files-exist"
    assert result.error["details"]["files"] == ["pipeline.yaml", "src/fit.py"]
    assert sorted(path.name for path in repo.iterdir()) == [".git", "pipeline.yaml", "src"]
    assert (repo / "pipeline.yaml").read_text() == "mine\n"
    mlops("init", "--force", code=0)
    assert "version: 1" in (repo / "pipeline.yaml").read_text()


def test_init_keeps_settings_ignores_and_what_is_staged(mlops, repo, git):
    (repo / ".mlops").mkdir()
    (repo / ".mlops" / "config.yaml").write_text("cache:\n  link: copy  # mine\n")
    (repo / ".gitignore").write_text("*.secret\n")
    (repo / "other.txt").write_text("half done\n")
    git("add", "other.txt")
    mlops("init", code=0)
    assert (repo / ".mlops" / "config.yaml").read_text() == "cache:\n  link: copy  # mine\n"
    ignored = (repo / ".gitignore").read_text()
    assert ignored.startswith("*.secret\n")
    assert "\n/out/\n/.mlops/*\n!/.mlops/config.yaml\n!/.mlops/lock/\n" in ignored
    assert git("status", "--porcelain").splitlines() == ["A  other.txt", "?? .mlops/"]


def test_a_second_init_changes_nothing(mlops, repo, git):
    mlops("init", code=0)
    before = git("rev-parse", "HEAD")
    assert "already; nothing changed." in mlops("init", code=0).stdout
    assert git("rev-parse", "HEAD") == before


def test_dry_run_writes_nothing(mlops, repo, assert_valid):
    result = mlops("init", "--dry-run", "--json", code=0)
    assert_valid(result.json)
    assert "pipeline.yaml" in result.data["files"]
    assert [path.name for path in repo.iterdir()] == [".git"]
    assert "Would make the project" in mlops("init", "--dry-run", code=0).stdout


def test_no_git_leaves_git_alone_and_says_what_is_left_to_do(mlops, tmp_path):
    result = mlops("init", "new", "--no-git", "--json", cwd=tmp_path, code=0)
    assert not (tmp_path / "new" / ".git").exists()
    assert result.data["commit"] is None
    assert result.data["next"][:3] == ["cd new", "git init", "mlops add data/days.csv"]


def test_without_an_identity_the_files_are_written_and_the_way_to_commit_is_told(
    mlops, tmp_path, git
):
    result = mlops("init", "new", "--json", cwd=tmp_path, code=0)
    assert (tmp_path / "new" / "pipeline.yaml").exists()
    assert result.data["commit"] is None
    assert "git does not know who you are" in result.json["warnings"][0]
    assert "git add -A && git commit" in result.json["warnings"][0]


def test_a_project_is_a_whole_repository(mlops, repo):
    result = mlops("init", "sub", code=30)
    assert "lies inside the git repository" in result.stderr
    assert "[inside-a-repository]" in result.stderr
    assert not (repo / "sub").exists()


def test_an_unknown_template_is_answered_with_those_there_are(mlops, repo):
    assert "did you mean: minimal" in mlops("init", "-t", "minmal", code=20).stderr


def test_a_file_is_no_place_for_a_project(mlops, tmp_path):
    (tmp_path / "file").write_text("")
    assert "[not-a-folder]" in mlops("init", "file", cwd=tmp_path, code=30).stderr


def test_git_calls_mlops_in_the_new_project_unless_told_otherwise(mlops, repo, git, tmp_path):
    mlops("init", "--no-hooks", code=0)
    assert not (repo / ".git/hooks/pre-commit").exists()
    assert "merge=mlops" in (repo / ".gitattributes").read_text()
    git("config", "core.hooksPath", str(tmp_path / "everybody"))
    told = mlops("init", code=0).stderr
    assert "which is not of this project alone" in told and not (tmp_path / "everybody").exists()
    git("config", "--unset", "core.hooksPath")
    mlops("init", code=0)
    assert (repo / ".git/hooks/pre-commit").exists()
    assert "merge-driver" in git("config", "merge.mlops.driver")
    assert ".tmp-mlops-*" in (repo / ".gitignore").read_text().splitlines()


def test_the_workflow_and_the_hooks_are_what_their_readers_accept(mlops, repo):
    mlops("init", code=0)
    checker = shutil.which("check-jsonschema", path=str(sys.prefix) + "/bin")
    subprocess.run(
        [checker, "--builtin-schema", "vendor.github-workflows", ".github/workflows/mlops.yml"],
        cwd=repo,
        check=True,
        capture_output=True,
    )
    workflow = (repo / ".github/workflows/mlops.yml").read_text()
    assert "@EXTRAS@" not in workflow
    assert "@VERSION@" not in workflow
    pre_commit = [sys.executable, "-m", "pre_commit", "validate-config"]
    subprocess.run([*pre_commit, ".pre-commit-config.yaml"], cwd=repo, check=True)


def test_the_new_project_is_healthy_and_runs_without_extras(mlops, repo):
    mlops("init", code=0)
    assert mlops("doctor", "--offline", "--json", code=0).data["usable"]
    mlops("run", code=0)
    assert (repo / "out" / "metrics.json").exists()
    mlops("status", "--check", code=0)
