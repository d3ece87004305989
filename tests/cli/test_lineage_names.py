"""`mlops lineage`: a file inside a tracked folder, what stands in a lock, an environment."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  join:
    cmd: mkdir -p out; cat days/*.csv > out/all.csv
    deps: [days]
    outs: [out/all.csv]
"""


@pytest.fixture
def months(repo: Path, mlops: Any, git: Any) -> Path:
    """A project whose folder grew by a file, and which was run before and after."""
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / ".gitignore").write_text("/out/\n/days/\n.mlops/*\n!.mlops/lock/\n")
    (repo / "days").mkdir()
    for day, now in (("one", "2013-06-01T00:00:00Z"), ("two", "2013-02-01T00:00:00Z")):
        (repo / f"days/{day}.csv").write_text(f"{day}\n")
        mlops("add", "days", code=0)
        git("add", "-A")
        git("commit", "-qm", day)
        mlops("run", env={"MLOPS_NOW": now}, code=0)  # a clock that runs back
    return repo


def test_a_file_in_a_folder_is_followed_from_the_versions_that_hold_it(
    months: Path, mlops: Any, assert_valid: Any
) -> None:
    both = mlops("lineage", "days/one.csv", "--down", "--json", code=0)
    assert_valid(both.json)
    assert len(both.data["within"]["versions"]) == both.data["within"]["of"] == 2
    assert both.data["starts"] == both.data["within"]["versions"]
    assert sum(node["kind"] == "run" for node in both.data["nodes"]) == 2

    (last,) = mlops("lineage", "two.csv", "--json", cwd=months / "days").data["starts"]
    assert last == mlops("lineage", "days", "--json", code=0).data["starts"][0]
    told = mlops("lineage", "days/two.csv", code=0).stdout
    assert "days/two.csv, in 1 of 2 versions of days" in told
    assert mlops("lineage", "days/three.csv", "--json").code == 20


def test_a_file_that_changed_is_another_one(months: Path, mlops: Any, git: Any) -> None:
    (months / "days/one.csv").write_text("other\n")
    mlops("add", "days", code=0)
    mlops("run", code=0)

    now = mlops("lineage", "days/one.csv", "--json", code=0).data["within"]
    then = mlops("lineage", "days/one.csv@HEAD~1", "--json", code=0).data["within"]

    assert (len(now["versions"]), now["of"]) == (1, 3)
    assert len(then["versions"]) == 2 and then["digest"] != now["digest"]


def test_versions_that_are_not_here_are_told_of(months: Path, mlops: Any) -> None:
    shutil.rmtree(months / ".mlops/cache")
    (months / ".mlops/stat.sqlite").unlink(missing_ok=True)
    mlops("add", "days", code=0)  # what stands now comes back

    found = mlops("lineage", "days/one.csv", "--json", code=0)

    assert (len(found.data["starts"]), found.data["within"]["of"]) == (1, 2)
    assert "1 version of days" in found.json["warnings"][0]


def test_what_stands_now_is_what_the_lock_says_whatever_clocks_told(
    months: Path, mlops: Any, git: Any
) -> None:
    now = mlops("lineage", "out/all.csv", "--up", "--json", code=0).data
    before = mlops("lineage", "out/all.csv@HEAD~2", "--up", "--json", code=0).data

    days = {one["label"]: one["id"] for one in now["nodes"]}["days"]
    assert days == mlops("lineage", "days", "--json", code=0).data["starts"][0]
    assert before["starts"] != now["starts"]


def test_an_environment_means_its_last_deployment(months: Path, mlops: Any) -> None:
    from datetime import UTC, datetime

    from mlops_cli.ledger.append import open_ledger
    from mlops_cli.ledger.record import record
    from mlops_cli.vcs.repo import Git

    made = [
        record(
            "deployment", time=datetime(2013, month, 1, tzinfo=UTC), actor="Ada",
            environment="prod", model="m", version=1, digest="sha256:" + "1" * 64, action="deploy",
        )
        for month in (1, 2)
    ]  # fmt: skip
    open_ledger(Git(months)).append(*made)

    assert mlops("lineage", "prod", "--json", code=0).data["starts"] == [str(made[1].digest)]
    then = mlops("lineage", "prod", "--at", "2013-01-15", "--json", code=0).data
    assert then["starts"] == [str(made[0].digest)]
