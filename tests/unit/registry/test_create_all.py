"""Many versions at once: dense numbers, one digest one version, whoever else registers."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.registry import create
from mlops_cli.registry.create import create_all
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs import tagging
from mlops_cli.vcs.repo import Git


def wanted(*numbers: int, model: str = "delay") -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            model,
            {
                "digest": f"sha256:{n:064x}",
                "format": "onnx",
                "created": "2013-02-01T00:00:00.000Z",
                "actor": "Ada",
            },
        )
        for n in numbers
    ]


def told(made: Iterable[Any]) -> list[tuple[str, bool]]:
    return [(version.name, fresh) for version, fresh in made]


def test_numbers_follow_the_order_and_what_is_there_is_found(git: Git) -> None:
    registry = Registry(git)
    registry.create("delay", dict(wanted(7)[0][1]))

    made = create_all(registry, [*wanted(5, 7, 6, 5), *wanted(5, model="storm")])

    assert told(made) == [
        ("delay@v2", True),
        ("delay@v1", False),
        ("delay@v3", True),
        ("delay@v2", False),
        ("storm@v1", True),
    ]
    again = create_all(registry, wanted(6, 5))
    assert told(again) == [("delay@v3", False), ("delay@v2", False)]
    assert again[0][0] == made[2][0] == registry.version("delay", 3)


def test_nothing_is_asked_of_a_remote_for_nothing(git: Git) -> None:
    assert create_all(Registry(git, "nowhere"), []) == []


def test_two_clones_that_register_many_give_no_number_twice(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "AT_ONCE", 3)
    git.run("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    clones = []
    for name in ("one", "two"):
        git.run("clone", "-q", str(tmp_path / "bare"), str(tmp_path / name))
        clones.append(Git(tmp_path / name))
        clones[-1].run("config", "user.name", name)
        clones[-1].run("config", "user.email", f"{name}@example.org")

    def register(at: int) -> list[Any]:
        own = range(100 * at, 100 * at + 8)
        return create_all(Registry(clones[at - 1], "origin"), wanted(*own, *range(4)))

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(register, (1, 2))

    there = Registry(Git(tmp_path / "bare")).versions("delay")
    assert [version.number for version in there] == list(range(1, 21))
    assert len({version.digest for version in there}) == 20
    by_digest = {version.digest: version.number for version in there}
    assert all(by_digest[version.digest] == version.number for version, _ in first + second)
    fresh = [version.number for version, fresh in first + second if fresh]
    assert sorted(fresh) == list(range(1, 21)), "each was made by exactly one"


def test_of_a_batch_whose_number_is_gone_nothing_stays_there(git: Git, tmp_path: Path) -> None:
    git.run("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    git.run("remote", "add", "origin", str(tmp_path / "bare"))
    git.run("tag", "-m", "theirs", "mlops/delay/v2")
    git.run("push", "-q", "origin", "mlops/delay/v2")
    git.run("tag", "-d", "mlops/delay/v2")
    commit = git.run("rev-parse", "HEAD")

    placed = tagging.place_all(
        git, {"mlops/delay/v1": commit, "mlops/delay/v2": commit}, remote="origin"
    )

    assert not placed
    assert (
        git.run("tag") == ""
        and git.run("ls-remote", "--tags", "origin").split()
        == git.run("ls-remote", "--tags", "origin", "mlops/delay/v2*").split()
    )
