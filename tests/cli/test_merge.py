"""`mlops merge` and `mlops merge-driver`: words, documents, and what they refuse."""

from __future__ import annotations

import json
import shutil

import pytest

from mlops_cli.config import Settings
from mlops_cli.project import open_project
from mlops_cli.vcs import drivers
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import track


@pytest.fixture
def torn(console_script, git, repo):
    """A repository in the middle of a merge: both sides changed data.csv."""
    (repo / ".gitignore").write_text("/.mlops/*\n")
    drivers.install(Git(repo), f"{console_script} merge-driver %O %A %B %P")
    drivers.write_attributes(repo)
    project = open_project(repo, Settings({}))
    parts = {"git": project.git, "cache": project.cache, "stats": project.stats}
    for branch, text in (("main", "1"), ("yours", "22"), ("mine", "333")):
        if branch != "main":
            git("checkout", "-q", "main")
            git("checkout", "-qb", branch)
        (repo / "data.csv").write_text(text)
        track.add(repo, ["data.csv"], tracked=[], **parts)
        git("add", "-A")
        git("commit", "-qm", branch, "--no-verify")
    with pytest.raises(Exception, match="returned non-zero"):
        git("merge", "yours")
    return repo


def test_what_is_undecided_is_listed_with_the_next_command(mlops, torn, assert_valid):
    result = mlops("merge", "--json", code=1)
    assert_valid(result.json)
    (row,) = result.data["conflicts"]
    assert (row["path"], row["kind"]) == ("data.csv", "pointer")
    assert row["mend"] == "mlops merge --ours|--theirs|--both data.csv"
    screen = mlops("merge", code=1).stdout
    assert "undecided  data.csv: both sides changed it" in screen
    assert "→ mlops merge --ours|--theirs|--both data.csv" in screen


def test_the_side_that_was_chosen_is_staged_and_in_the_workspace(mlops, git, torn):
    dry = mlops("merge", "--theirs", "--dry-run", "--json", code=0)
    assert dry.data["decided"] == ["data.csv.mlops"]
    assert git("ls-files", "--unmerged") != ""
    result = mlops("merge", "--theirs", "data.csv", code=0)
    assert "Brought into the workspace: data.csv" in result.stdout
    assert "Nothing is left to decide" in result.stdout
    assert (torn / "data.csv").read_text() == "22"
    assert git("status", "--porcelain") == "M  data.csv.mlops\n"
    assert mlops("merge", code=0).stdout == "There is nothing to decide.\n"


def test_both_files_can_be_kept_each_with_a_pointer_and_out_of_git(mlops, git, torn):
    mlops("merge", "--both", code=0)
    assert (torn / "data.csv").read_text() == "333"
    assert (torn / "data.csv.theirs").read_text() == "22"
    assert "/data.csv.theirs" in (torn / ".gitignore").read_text().splitlines()
    git("add", ".gitignore")
    git("commit", "-qm", "both")
    assert git("status", "--porcelain") == ""
    assert mlops("status", "--check", "--json").data["workspace"]["clean"]


def test_unsaved_bytes_are_left_alone(mlops, torn):
    (torn / "data.csv").write_text("edited meanwhile")
    result = mlops("merge", "--theirs", code=0)
    assert "left alone" in result.stderr
    assert (torn / "data.csv").read_text() == "edited meanwhile"


def test_words_that_make_no_sense_are_refused(mlops, torn):
    assert mlops("merge", "--ours", "--theirs", "--json", code=2).error["code"] == (
        "contradictory-options"
    )
    assert mlops("merge", "--ours", "other.csv", "--json", code=20).error["code"] == "no-conflict"
    inside = mlops("merge", "--ours", "data.csv/x", "--json", code=20)
    assert inside.error["code"] == "no-conflict"


def test_one_environment_cannot_be_both(mlops, git, torn):
    (torn / "environments").mkdir()
    (torn / "environments/prod.yaml").write_text("version: 1\ntheirs:\n  version: 1\n")
    result = mlops("merge", "--both", "environments/prod.yaml", "--json", code=2)
    assert result.error["code"] == "one-side-only"
    mlops("merge", "--ours", "environments/prod.yaml", code=1)
    assert (torn / "environments/prod.yaml").read_text() == "version: 1\n"


def test_a_pointer_in_conflict_is_not_added_over(mlops, torn):
    result = mlops("add", "data.csv", "--json", code=30)
    assert result.error["code"] == "undecided"
    assert result.error["hint"].startswith("mlops merge --ours")


def test_the_driver_is_called_as_git_calls_it(mlops, torn, assert_valid):
    pointer = torn / "data.csv.mlops"
    plain = {
        key: value for key, value in json.loads(pointer.read_text()).items() if key != "theirs"
    }
    (torn / "A").write_text(json.dumps(plain))
    (torn / "B").write_text(json.dumps(plain | {"push": False}))
    shutil.copy(torn / "A", torn / "O")
    result = mlops("merge-driver", "O", "A", "B", "data.csv.mlops", "--json", code=0)
    assert_valid(result.json)
    assert json.loads((torn / "A").read_text())["push"] is False
    (torn / "B").write_text(json.dumps(plain | {"digest": "sha256:" + "0" * 64}))
    shutil.copy(torn / "O", torn / "A")
    (torn / "O").write_text("")
    result = mlops("merge-driver", "O", "A", "B", "data.csv.mlops", code=1)
    assert result.stdout == "Undecided: data.csv\n"
    before = (torn / "A").read_bytes()
    (torn / "B").write_text("[]")
    assert mlops("merge-driver", "O", "A", "B", "data.csv.mlops", code=40)
    assert (torn / "A").read_bytes() == before
    assert "[not-ours-to-merge]" in mlops("merge-driver", "O", "A", "B", "x.txt", code=2).stderr
