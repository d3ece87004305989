"""`mlops export mlflow`: servers that are none, refuse, or answer in words that steer a terminal.

A real server is asked in tests/e2e/test_mlflow.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow_world
import pytest


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that says the same to everything."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def project(repo: Path, git: Any, mlops: Any, tmp_path: Path) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    mlops("import", "mlflow", str(mlflow_world.database(tmp_path / "there")), code=0)
    return repo


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (200, b"<html>", "mlflow-refused", "JSON"),
        (200, b"[" * 100_000, "mlflow-refused", "JSON"),
        (200, b"[]", "mlflow-refused", "no object"),
        (200, b"{}", "mlflow-refused", "has no experiment"),
        (200, b'{"experiment": {}}', "mlflow-refused", "has no experiment_id"),
        (403, b'{"message": "who\\u001b[31m?"}', "mlflow-refused", "MLFLOW_TRACKING_USERNAME"),
        (500, b"\xff" * 9, "mlflow-refused", "without a word"),
    ],
)
def test_what_a_server_says_that_is_none_of_mlflow_is_told(
    project: Path, mlops: Any, status: int, body: bytes, code: str, said: str
) -> None:
    with answering(status, body) as url:
        result = mlops("export", "mlflow", url, code=50)

    assert f"[{code}]" in result.stderr and said in result.stderr
    assert "\x1b" not in result.stderr


def test_an_address_that_is_none_and_one_where_nobody_is(project: Path, mlops: Any) -> None:
    assert mlops("export", "mlflow", "sqlite:///x", "--json", code=2).error["code"] == "bad-url"
    with answering(200, b"{}") as url:
        pass
    gone = mlops("export", "mlflow", url, "--json", code=50).error
    assert gone["code"] == "mlflow-unreachable"


def test_a_plan_sends_nothing(project: Path, mlops: Any, assert_valid: Any) -> None:
    with answering(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}') as url:
        result = mlops("export", "mlflow", url, "--dry-run", "--json", code=0)

    assert_valid(result.json)
    assert result.data["counts"]["run"] == {"sent": 3}
