"""Another model is served without a restart and without one dropped request."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import serving_world
from serving_world import NOW, ROW, expected

from mlops_cli.errors import IntegrityError, OutsideWorld, StateRefused
from mlops_cli.serving.targets.local import LocalTarget

pa = pytest.importorskip("pyarrow")
WHEN = NOW.isoformat()


def hammer(url: str, stop: threading.Event, found: list[tuple[int, Any]]) -> None:
    """Ask again and again over one kept connection; any failure of it is a finding too."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    body = json.dumps({"rows": [ROW]})
    try:
        while not stop.is_set():
            connection.request("POST", "/predict", body)
            answer = connection.getresponse()
            value = json.loads(answer.read())
            found.append((answer.status, value))
    except Exception as exc:
        found.append((0, repr(exc)))
    finally:
        connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_ten_exchanges_under_load_drop_nothing(tmp_path: Path, workers: int) -> None:
    target = LocalTarget(tmp_path)
    wishes = [
        serving_world.desired(tmp_path, version=n, bias=n / 10, workers=workers)
        for n in range(1, 12)
    ]
    right = {n: float(expected(pa.Table.from_pylist([ROW]), bias=n / 10)[0]) for n in range(1, 12)}
    running = target.apply(wishes[0], now=WHEN, wait=60)
    stop = threading.Event()
    found: list[list[tuple[int, Any]]] = [[] for _ in range(6)]
    assert running.url is not None
    threads = [threading.Thread(target=hammer, args=(running.url, stop, f)) for f in found]
    try:
        for thread in threads:
            thread.start()
        for wish in wishes[1:]:
            seen = target.apply(wish, now=WHEN, wait=60)
            assert seen.answer is not None
            assert seen.answer["version"] == wish.models[0].version
            assert seen.pid == running.pid
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        target.stop("prod", wait=20)
    answers = [answer for each in found for answer in each]
    assert {status for status, _ in answers} == {200}
    versions = [value["version"] for _, value in answers]
    assert set(versions) <= set(right)
    assert len(set(versions)) > 2
    for _, value in answers:
        assert np.float32(value["predictions"][0]) == np.float32(right[value["version"]])


def test_a_model_that_does_not_load_leaves_the_former_one_serving(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path)
    good = serving_world.desired(tmp_path, version=1)
    bad = serving_world.desired(tmp_path, version=2, bias=1.0)
    (tmp_path / "bundle2" / "model.onnx").write_bytes(b"not what was registered")
    try:
        target.apply(good, now=WHEN, wait=60)
        with pytest.raises(StateRefused, match="not the registered model") as refused:
            target.apply(bad, now=WHEN, wait=60)
        assert refused.value.code == "damaged-model"
        seen = target.look("prod")
        assert seen.answer is not None
        assert seen.answer["version"] == 1
        assert seen.desired == good
    finally:
        target.stop("prod", wait=20)


def test_a_server_that_was_killed_is_told_and_started_again(tmp_path: Path) -> None:
    import os
    import signal

    target = LocalTarget(tmp_path)
    wish = serving_world.desired(tmp_path)
    try:
        first = target.apply(wish, now=WHEN, wait=60)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        while target.look("prod").state == "running":
            pass
        assert target.look("prod").state == "died"
        again = target.apply(wish, now=WHEN, wait=60)
        assert again.pid != first.pid
        assert again.state == "running"
    finally:
        target.stop("prod", wait=20)
    assert target.look("prod").state == "stopped"
    assert not target.stop("prod", wait=1)


def test_a_stale_pid_of_another_process_is_left_alone(tmp_path: Path) -> None:
    import os

    target = LocalTarget(tmp_path)
    place = tmp_path / ".mlops" / "serving" / "prod"
    place.mkdir(parents=True)
    state = {"pid": os.getppid(), "born": "1", "url": "http://127.0.0.1:1", "started": WHEN}
    (place / "server.json").write_text(json.dumps(state))
    assert target.look("prod").state == "died"
    assert not target.stop("prod", wait=1)
    os.kill(os.getppid(), 0)


def test_a_port_in_use_is_told_and_nothing_is_left_behind(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        wish = serving_world.desired(tmp_path, port=taken.getsockname()[1])
        target = LocalTarget(tmp_path)
        with pytest.raises(OutsideWorld) as refused:
            target.apply(wish, now=WHEN, wait=60)
    assert refused.value.code == "port-in-use"
    assert target.look("prod").state == "stopped"
    assert target.look("prod").desired is None


def test_another_port_restarts_the_server(tmp_path: Path) -> None:
    import socket
    from dataclasses import replace

    target = LocalTarget(tmp_path)
    wish = serving_world.desired(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        first = target.apply(wish, now=WHEN, wait=60)
        second = target.apply(replace(wish, port=port), now=WHEN, wait=60)
        assert second.url == f"http://127.0.0.1:{port}"
        assert second.pid != first.pid
    finally:
        target.stop("prod", wait=20)


def test_a_bundle_whose_schema_lies_about_the_model_is_refused(tmp_path: Path) -> None:
    from mlops_cli.serving.model import open_model

    digest = serving_world.write_bundle(tmp_path)
    schema = json.loads((tmp_path / "schema.json").read_text())
    schema["inputs"][0]["dtype"] = "FP64"
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(IntegrityError, match="distance") as refused:
        open_model(tmp_path, name="delay", version=1, digest=digest, bundle="")
    assert refused.value.code == "schema-mismatch"
