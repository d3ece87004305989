"""A remote that cuts, corrupts, refuses or is not there: nothing wrong is used, nothing is lost."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code>'
    b"<Message>The provided token has expired.</Message></Error>"
)


@dataclass
class Faults:
    """What the proxy does to the next requests; each entry is used once, then all goes well."""

    plan: list[tuple[str, str]] = field(default_factory=list)  # (method, fault)
    always: str = ""
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, method: str, path: str) -> str:
        with self.lock:
            self.seen += 1
            if self.always:
                return self.always
            for number, (wanted, fault) in enumerate(self.plan):
                where, _, part = wanted.partition(" ")
                if where == method and part in path:
                    del self.plan[number]
                    return fault
        return ""


@contextlib.contextmanager
def proxy(target: str) -> Iterator[tuple[str, Faults]]:
    """Stand between a client and the S3 server at `target`; Host stays, so signatures hold."""
    faults = Faults()
    upstream = target.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            fault = faults.next(self.command, self.path)
            length = int(self.headers.get("Content-Length") or 0)
            if fault == "cut-upload":
                self.rfile.read(length // 2)
                self.close_connection = True
                self.connection.close()
                return
            body = self.rfile.read(length)
            if fault == "expired":
                self.answer(400, {"Content-Type": "application/xml"}, EXPIRED)
                return
            line = http.client.HTTPConnection(upstream, timeout=20)
            line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                line.putheader(name, value)
            line.endheaders(body)
            response = line.getresponse()
            data = response.read()
            line.close()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("transfer-encoding", "content-length", "connection")
            }
            if fault == "flip" and data:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self.answer(response.status, headers, data, cut=fault == "cut")

        def answer(
            self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True
                self.connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def log_message(self, *words: Any) -> None: ...

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def torn(repo: Path, mlops: Any, git: Any, s3: Any) -> Iterator[tuple[Path, Faults]]:
    """A committed project whose default remote is S3 behind a proxy with faults."""
    rng = random.Random(3)
    (repo / "data").mkdir()
    for number in range(60):
        (repo / "data" / f"{number}.bin").write_bytes(rng.randbytes(3000))
    (repo / "big.bin").write_bytes(rng.randbytes(2_000_000))
    mlops("add", "data", "big.bin", code=0)
    with proxy(s3.endpoint) as (endpoint, faults):
        mlops("remote", "add", "cloud", s3.url(), "--endpoint", endpoint, code=0)
        git("add", "-A")
        git("commit", "-qm", "data")
        yield repo, faults


@pytest.fixture
def env(s3: Any) -> dict[str, str]:
    return {name: value for name, value in s3.env.items() if name != "AWS_ENDPOINT_URL"}


def test_a_line_that_is_cut_now_and_then_is_lived_with(
    torn: tuple[Path, Faults], mlops: Any, git: Any, env: dict[str, str]
) -> None:
    repo, faults = torn
    faults.plan = [("PUT packs/", "cut-upload"), ("PUT objects/", "cut-upload")]

    mlops("push", env=env, code=0)

    assert not faults.plan
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    faults.plan = [("GET packs/", "cut"), ("GET objects/", "cut"), ("GET index/", "cut")]
    mlops("pull", cwd=clone, env=env, code=0)
    assert not faults.plan
    assert (clone / "big.bin").read_bytes() == (repo / "big.bin").read_bytes()


@pytest.mark.parametrize(("where", "path"), [("packs/", "data"), ("objects/", "big.bin")])
def test_a_byte_that_flips_on_the_line_is_never_used(
    torn: tuple[Path, Faults],
    mlops: Any,
    git: Any,
    env: dict[str, str],
    where: str,
    path: str,
) -> None:
    repo, faults = torn
    mlops("push", env=env, code=0)
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    faults.plan = [(f"GET {where}", "flip")]

    result = mlops("pull", "--json", cwd=clone, env=env)

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert result.error["details"]["damaged"][0]["path"].startswith(path)
    # it was the line and not the remote: the next time all is well
    mlops("pull", cwd=clone, env=env, code=0)
    assert (clone / "big.bin").read_bytes() == (repo / "big.bin").read_bytes()


def test_an_index_that_arrives_wrong_only_costs_a_second_push(
    torn: tuple[Path, Faults], mlops: Any, env: dict[str, str]
) -> None:
    repo, faults = torn
    mlops("push", env=env, code=0)
    for remembered in (repo / ".mlops/cache/remotes").rglob("*"):
        if remembered.is_file():
            remembered.unlink()
    faults.plan = [("GET .idx", "flip"), ("GET .whole", "flip")]

    assert mlops("push", "--json", env=env, code=0).data["objects"] == 62


def test_expired_credentials_are_called_that(
    torn: tuple[Path, Faults], mlops: Any, env: dict[str, str]
) -> None:
    _, faults = torn
    faults.always = "expired"

    result = mlops("push", "--json", env=env)

    assert (result.code, result.error["code"]) == (50, "credentials-expired")
    assert "have expired" in result.error["message"]


def test_wrong_credentials_are_called_that(
    torn: tuple[Path, Faults], mlops: Any, env: dict[str, str]
) -> None:
    result = mlops("push", "--json", env={**env, "AWS_SECRET_ACCESS_KEY": "not-the-secret"})

    assert (result.code, result.error["code"]) == (50, "credentials-wrong")
    assert "credentials" in result.error["message"]
    assert "not-the-secret" not in result.stdout


def test_no_credentials_are_asked_for_by_name(torn: tuple[Path, Faults], mlops: Any) -> None:
    result = mlops("push", "--json", env={"AWS_EC2_METADATA_DISABLED": "true"})

    assert (result.code, result.error["code"]) == (50, "credentials-missing")
    assert "AWS_ACCESS_KEY_ID" in result.error["hint"]


def test_a_bucket_that_does_not_exist_is_told(
    torn: tuple[Path, Faults], mlops: Any, env: dict[str, str], s3: Any
) -> None:
    mlops("remote", "add", "none", "s3://no-such-bucket/x", "--endpoint", s3.endpoint, code=0)

    result = mlops("push", "-r", "none", "--json", env=env)

    assert (result.code, result.error["code"]) == (50, "bucket-missing")
    assert "bucket" in result.error["hint"]


def test_a_server_that_is_down_is_told_without_a_traceback(
    repo: Path, mlops: Any, env: dict[str, str]
) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)
    mlops("remote", "add", "o", "s3://b/x", "--endpoint", "http://127.0.0.1:1", code=0)

    result = mlops("push", "--json", env={**env, "AWS_DEFAULT_REGION": "us-east-1"})

    assert (result.code, result.error["code"]) == (50, "remote-unavailable")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_folder_that_is_not_there_is_told(repo: Path, mlops: Any, git: Any, command: str) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)
    mlops("remote", "add", "o", "/nowhere/at/all", code=0)
    clone = repo
    if command == "pull":
        git("add", "-A")
        git("commit", "-qm", "x")
        clone = repo.parent / "clone"
        git("clone", "-q", str(repo), str(clone))

    result = mlops(command, "--json", cwd=clone)

    assert (result.code, result.error["code"]) == (50, "remote-unavailable")
    assert not Path("/nowhere").exists()


def test_a_folder_that_may_not_be_written_is_told(repo: Path, mlops: Any) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)
    # /proc is read-only for everybody, root included
    mlops("remote", "add", "o", "/proc/mlops-remote", code=0)

    result = mlops("push", "--json")

    assert (result.code, result.error["code"]) in [
        (50, "remote-read-only"),
        (50, "remote-unavailable"),
    ]


def test_something_else_in_the_folder_is_not_taken_for_a_remote(repo: Path, mlops: Any) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)
    other = repo.parent / "other"
    other.mkdir()
    (other / "format.json").write_text('{"schema": "mlops.remote/99"}')
    mlops("remote", "add", "o", str(other), code=0)

    result = mlops("push", "--json")

    assert (result.code, result.error["code"]) == (10, "remote-format-unknown")
    assert [path.name for path in other.iterdir()] == ["format.json"]


def test_a_push_killed_anywhere_can_be_run_again(
    repo: Path,
    mlops: Any,
    git: Any,
    console_script: str,
    environment: dict[str, str],
    moments: Callable[[], float],
) -> None:
    rng = random.Random(5)
    (repo / "data").mkdir()
    for number in range(600):
        (repo / "data" / f"{number}.bin").write_bytes(rng.randbytes(4000))
    for number in range(6):
        (repo / f"big{number}.bin").write_bytes(rng.randbytes(4_000_000))
    mlops("add", "data", *[f"big{number}.bin" for number in range(6)], code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")

    for _ in range(5):
        process = subprocess.Popen(
            [console_script, "push"], cwd=repo, env=environment, stdout=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments())
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # whatever stands under its name is whole: a clone never gets a wrong byte
        clone = repo.parent / "clone"
        subprocess.run(["rm", "-rf", clone], check=True)
        git("clone", "-q", str(repo), str(clone))
        assert mlops("pull", "--json", cwd=clone).code in (0, 20, 50)

    mlops("verify", code=0)
    mlops("push", code=0)
    mlops("pull", cwd=clone, code=0)
    assert (clone / "big5.bin").read_bytes() == (repo / "big5.bin").read_bytes()
    mlops("verify", cwd=clone, code=0)


@pytest.fixture
def moments() -> Callable[[], float]:
    """When to kill: somewhere in the second that a push takes."""
    rng = random.Random(11)
    return lambda: rng.uniform(0.1, 0.9)
