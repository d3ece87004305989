from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.monitoring.arrival import Arrival, arrivals, arrive
from mlops_cli.monitoring.clock import ReplayClock
from mlops_cli.store.cache import open_cache
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import track


def _tracked(repo: Path) -> tuple[Git, object, StatCache]:
    (repo / "data/flights").mkdir(parents=True)
    (repo / "data/flights/01.csv").write_text("january")
    git, cache = Git(repo), open_cache(repo / ".mlops/cache")
    stats = StatCache(repo / ".mlops/cache/stat.sqlite")
    track.add(repo, ["data/flights"], git=git, cache=cache, stats=stats, tracked=[])
    return git, cache, stats


def test_files_of_one_name_arrive_together_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("data/flights/02.csv", "data/weather/02.csv", "data/flights/01.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = arrivals(tmp_path)
    assert [(one.name, sorted(one.files)) for one in found] == [
        ("01", ["data/flights/01.csv"]),
        ("02", ["data/flights/02.csv", "data/weather/02.csv"]),
    ]
    with pytest.raises(NotFound, match="there are no files"):
        arrivals(tmp_path / "data" / "none")


def test_what_arrives_is_tracked_and_committed_and_nothing_else(repo: Path, tmp_path: Path) -> None:
    git, cache, stats = _tracked(repo)
    (tmp_path / "02.csv").write_text("february")
    (repo / "notes.txt").write_text("mine")
    commit = arrive(
        repo, git, cache, stats, Arrival("02", {"data/flights/02.csv": tmp_path / "02.csv"})
    )
    assert (repo / "data/flights/02.csv").read_text() == "february"
    assert git.run("show", "--format=%s", "--name-only", str(commit)).split("\n") == [
        "data: 02 arrives",
        "",
        "data/flights.mlops",
    ]


def test_nothing_arrives_outside_of_the_project(repo: Path, tmp_path: Path) -> None:
    git, cache, stats = _tracked(repo)
    (tmp_path / "x").write_text("x")
    with pytest.raises(ConfigError, match="leaves the project"):
        arrive(repo, git, cache, stats, Arrival("x", {"../escaped": tmp_path / "x"}))
    assert not (repo.parent / "escaped").exists()


def test_a_replay_clock_goes_on_from_where_it_was_set() -> None:
    real = [datetime(2026, 1, 1, tzinfo=UTC)]
    clock = ReplayClock(datetime(2013, 2, 1, tzinfo=UTC), lambda: real[0])
    real[0] += timedelta(seconds=5)
    assert clock() == datetime(2013, 2, 1, 0, 0, 5, tzinfo=UTC)
    clock.set(datetime(2013, 3, 1, tzinfo=UTC))
    assert clock() == datetime(2013, 3, 1, tzinfo=UTC)
