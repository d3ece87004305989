"""What every target of deployments keeps its word on; a new target is one more parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serving_world
from serving_world import ROW

from mlops_cli import plugins
from mlops_cli.errors import MlopsError
from mlops_cli.serving import client
from mlops_cli.serving.target import Target

NOW = "2013-03-01T00:00:00Z"


@pytest.fixture(params=["local"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    made: Target = plugins.load("mlops.targets", request.param)(tmp_path)
    yield made
    made.stop("prod", wait=20)


@pytest.fixture
def wish(tmp_path: Path) -> Callable[..., serving_world.Desired]:
    return lambda version, **more: serving_world.desired(
        tmp_path, version, bias=float(version), **more
    )


def test_before_anything_is_applied_it_is_stopped(target: Target) -> None:
    seen = target.look("prod")
    assert (seen.state, seen.url, seen.answer, seen.requests) == ("stopped", None, None, 0)
    assert target.stop("prod", wait=5) is False
    assert list(target.tail("prod", 10)) == []
    target.seal("prod", wait=5)


def test_apply_returns_when_the_server_itself_answers_with_the_model(
    target: Target, wish: Callable[..., serving_world.Desired]
) -> None:
    seen = target.apply(wish(1), now=NOW, wait=60)
    assert seen.state == "running"
    assert seen.url is not None
    assert seen.answer is not None
    assert seen.answer["version"] == 1
    assert seen.answer["digest"] == wish(1).models[0].digest
    assert client.demand(seen.url, "/predict", {"rows": [ROW]})["version"] == 1


def test_applying_the_same_again_changes_nothing(
    target: Target, wish: Callable[..., serving_world.Desired]
) -> None:
    first = target.apply(wish(1), now=NOW, wait=60)
    assert target.apply(wish(1), now=NOW, wait=60).pid == first.pid


def test_another_model_is_exchanged_in_place(
    target: Target, wish: Callable[..., serving_world.Desired]
) -> None:
    first = target.apply(wish(1), now=NOW, wait=60)
    second = target.apply(wish(2), now=NOW, wait=60)
    assert second.url == first.url
    assert second.url is not None
    assert client.demand(second.url, "/predict", {"rows": [ROW]})["version"] == 2


def test_a_failed_apply_leaves_what_was_there(
    target: Target, wish: Callable[..., serving_world.Desired], tmp_path: Path
) -> None:
    wrong = wish(2)
    (tmp_path / "bundle2" / "model.onnx").write_bytes(b"")
    with pytest.raises(MlopsError):
        target.apply(wrong, now=NOW, wait=60)
    assert target.look("prod").state == "stopped"
    target.apply(wish(1), now=NOW, wait=60)
    (tmp_path / "bundle2" / "model.onnx").write_bytes(b"")
    with pytest.raises(MlopsError):
        target.apply(wrong, now=NOW, wait=60)
    seen = target.look("prod")
    assert seen.url is not None
    assert client.demand(seen.url, "/version")["version"] == 1


def test_requests_are_counted_and_stop_ends_it(
    target: Target, wish: Callable[..., serving_world.Desired]
) -> None:
    seen = target.apply(wish(1), now=NOW, wait=60)
    assert seen.url is not None
    for _ in range(3):
        client.demand(seen.url, "/predict", {"rows": [ROW]})
    target.seal("prod", wait=20)
    assert target.look("prod").requests == 3
    assert target.stop("prod", wait=20) is True
    assert target.look("prod").state == "stopped"
    with pytest.raises(MlopsError):
        client.demand(seen.url, "/version")
