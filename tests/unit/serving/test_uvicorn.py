"""The same core under uvicorn, where granian is missing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import serving_world
from serving_world import ROW, expected, rows

from mlops_cli.errors import OutsideWorld
from mlops_cli.serving import client
from mlops_cli.serving import desired as wishes

WITHOUT_GRANIAN = """
import sys
sys.modules["granian"] = None
sys.modules["granian.constants"] = None
from mlops_cli.serving import http
http.serve(sys.argv[1], "prod", "127.0.0.1", int(sys.argv[2]), 2)
"""


def test_uvicorn_serves_the_same_core(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wishes.write(wishes.folder(tmp_path, "prod"), serving_world.desired(tmp_path, body=300_000))
    words = [sys.executable, "-c", WITHOUT_GRANIAN, str(tmp_path), str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    said = client.demand(url, "/version")
                    break
                except OutsideWorld:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
            assert said["version"] == 1
            table = rows(1000)
            body = {"rows": table.to_pylist()}
            assert len(json.dumps(body)) > 64 << 10
            answer = client.demand(url, "/predict", body)
            assert np.array_equal(np.array(answer["predictions"], "f4"), expected(table))
            assert client.ask(url, "/predict", {"rows": [{"a": 1}]})[0] == 400
            assert client.ask(url, "/predict", {"rows": [ROW] * 9000})[0] == 413
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert list((tmp_path / ".mlops" / "predictions" / "prod" / "sealed").glob("*.arrows"))
