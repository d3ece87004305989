"""A server that several tests ask, and a project of its own for those that deploy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import serving_world
from serving_world import World

from mlops_cli.serving.targets.local import LocalTarget


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of the small model, version 1; body 256 KiB, 1000 rows."""
    root = tmp_path_factory.mktemp("server")
    target = LocalTarget(root)
    wish = serving_world.desired(root, body=256 << 10, rows=1000)
    try:
        url = target.apply(wish, now="2013-03-01T00:00:00Z", wait=60).url
        assert url is not None
        yield url
    finally:
        target.stop("prod", wait=20)


@pytest.fixture
def world(repo: Path) -> Iterator[World]:
    """A project in a git repository; whatever it serves is stopped afterwards."""
    made = serving_world.make_world(repo)
    yield made
    for place in (repo / ".mlops" / "serving").glob("*/server.json"):
        LocalTarget(repo).stop(place.parent.name, wait=20)
