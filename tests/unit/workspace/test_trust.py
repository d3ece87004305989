"""Credentials go to AWS, and where this user chose; not where another repository says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from makers import commit, maker, reach, write

from mlops_cli import config
from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.workspace.trust import Trust, trust


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An endpoint on loopback that refuses everything, and what it was told."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("X-Amz-Security-Token", ""))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()


def test_an_endpoint_that_only_they_name_hears_nothing(
    tmp_path: Path, listener: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, heard = listener
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "ours")
    theirs = maker(tmp_path / "theirs")
    text = f"remotes:\n  far:\n    url: s3://bucket/x\n    endpoint: {endpoint}\n"
    write(theirs, {".mlops/config.yaml": text + "    region: us-east-1\n"})
    commit(theirs)
    (theirs / ".mlops/cache").rename(tmp_path / "gone")
    ours = reach(tmp_path)
    with pytest.raises(StateRefused) as refused:
        ours.git(str(theirs), "data", None)
    assert (refused.value.code, refused.value.exit_code) == ("foreign-endpoint", 30)
    assert f"trust.endpoint.NAME {endpoint}" in (refused.value.hint or "")
    assert heard == []
    with pytest.raises(MlopsError) as answered:
        replace(ours, trust=Trust(frozenset({endpoint})), _opened={}).git(str(theirs), "data", None)
    assert answered.value.code != "foreign-endpoint"
    assert set(heard) == {"ours"}


@pytest.mark.parametrize(
    ("options", "free"),
    [
        ({}, True),
        ({"endpoint": "https://s3.eu-central-1.amazonaws.com"}, True),
        ({"endpoint": "http://s3.amazonaws.com"}, False),
        ({"endpoint": "https://amazonaws.com.evil.org"}, False),
        ({"endpoint": "https://evilamazonaws.com"}, False),
        ({"endpoint": "https://minio.ours:9000/"}, True),
        ({"endpoint": "https://MINIO.ours:9000"}, True),
        ({"endpoint": "http://minio.ours:9000"}, False),
        ({"endpoint": "https://minio.ours:9001"}, False),
        ({"endpoint": "https://minio.ours:9000@evil.org"}, False),
        ({"endpoint": "https://127.0.0.1:port"}, False),
        ({"endpoint": "http://in.the.open"}, True),
        ({"endpoint": "https://evil.org", "anonymous": True}, True),
        ({"anonymous": True, "fsspec": {"endpoint_url": "https://evil.org"}}, False),
        ({"fsspec": {"account_host": "evil.org"}}, False),
        ({"fsspec": {"timeout": "3"}}, True),
    ],
)
def test_whose_endpoint_is_known(options: dict[str, Any], free: bool) -> None:
    text = "remotes:\n  m:\n    url: s3://b\n    endpoint: https://minio.ours:9000\n"
    settings = config.parse(text + "trust:\n  endpoint:\n    x: http://in.the.open\n", source="us")
    known = trust(settings, {"AWS_ENDPOINT_URL": "https://gateway"})
    if free:
        known.refuse("them", "s3://b", options)
        return
    with pytest.raises(StateRefused, match="would see your credentials"):
        known.refuse("them", "s3://b", options)


def test_the_environment_chooses_too() -> None:
    known = trust(config.Settings({}), {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"})
    known.refuse("them", "s3://b", {"endpoint": "http://127.0.0.1:9000"})
