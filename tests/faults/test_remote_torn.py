"""A remote that cuts, corrupts, refuses or is not there: nothing wrong is used, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faultproxy import ALWAYS, FaultProxy, faulty


@pytest.fixture
def torn(repo: Path, mlops: Any, git: Any, s3: Any) -> Iterator[tuple[Path, FaultProxy]]:
    """A committed project whose default remote is S3 behind a proxy with faults."""
    rng = random.Random(3)
    (repo / "data").mkdir()
    for number in range(60):
        (repo / "data" / f"{number}.bin").write_bytes(rng.randbytes(3000))
    (repo / "big.bin").write_bytes(rng.randbytes(2_000_000))
    mlops("add", "data", "big.bin", code=0)
    with faulty(s3.endpoint) as faults:
        mlops("remote", "add", "cloud", s3.url(), "--endpoint", faults.endpoint, code=0)
        git("add", "-A")
        git("commit", "-qm", "data")
        yield repo, faults


@pytest.fixture
def env(s3: Any) -> dict[str, str]:
    return {name: value for name, value in s3.env.items() if name != "AWS_ENDPOINT_URL"}


def test_a_line_that_is_cut_now_and_then_is_lived_with(
    torn: tuple[Path, FaultProxy], mlops: Any, git: Any, env: dict[str, str]
) -> None:
    repo, faults = torn
    faults.do("PUT packs/", "cut-upload")
    faults.do("PUT packs/", "drop-answer")

    mlops("push", env=env, code=0)

    assert faults.done
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    faults.do("GET packs/", "cut")
    faults.do("GET index/", "cut")
    faults.do("GET list-type", "answer", status=503, code="SlowDown", times=2)
    mlops("pull", cwd=clone, env=env, code=0)
    assert faults.done
    assert (clone / "big.bin").read_bytes() == (repo / "big.bin").read_bytes()


def test_a_byte_that_flips_on_the_line_is_never_used(
    torn: tuple[Path, FaultProxy], mlops: Any, git: Any, env: dict[str, str]
) -> None:
    repo, faults = torn
    mlops("push", env=env, code=0)
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    faults.do("GET packs/", "flip")

    result = mlops("pull", "--json", cwd=clone, env=env)

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert result.error["details"]["damaged"][0]["path"].startswith(("data", "big.bin"))
    # it was the line and not the remote: the next time all is well
    mlops("pull", cwd=clone, env=env, code=0)
    assert (clone / "big.bin").read_bytes() == (repo / "big.bin").read_bytes()


def test_an_index_that_arrives_wrong_only_costs_a_second_push(
    torn: tuple[Path, FaultProxy], mlops: Any, env: dict[str, str]
) -> None:
    repo, faults = torn
    mlops("push", env=env, code=0)
    for remembered in (repo / ".mlops/cache/remotes").rglob("*"):
        if remembered.is_file():
            remembered.unlink()
    faults.do("GET index/", "flip", times=ALWAYS)

    assert mlops("push", "--json", env=env, code=0).data["objects"] == 62


def test_expired_credentials_are_called_that(
    torn: tuple[Path, FaultProxy], mlops: Any, env: dict[str, str]
) -> None:
    _, faults = torn
    faults.do("", "answer", status=400, code="ExpiredToken", times=ALWAYS)

    result = mlops("push", "--json", env=env)

    assert (result.code, result.error["code"]) == (50, "credentials-expired")
    assert "have expired" in result.error["message"]


def test_wrong_credentials_are_called_that(
    torn: tuple[Path, FaultProxy], mlops: Any, env: dict[str, str]
) -> None:
    result = mlops("push", "--json", env={**env, "AWS_SECRET_ACCESS_KEY": "not-the-secret"})

    assert (result.code, result.error["code"]) == (50, "credentials-wrong")
    assert "credentials" in result.error["message"]
    assert "not-the-secret" not in result.stdout


def test_no_credentials_are_asked_for_by_name(torn: tuple[Path, FaultProxy], mlops: Any) -> None:
    result = mlops("push", "--json", env={"AWS_EC2_METADATA_DISABLED": "true"})

    assert (result.code, result.error["code"]) == (50, "credentials-missing")
    assert "AWS_ACCESS_KEY_ID" in result.error["hint"]


def test_a_bucket_that_does_not_exist_is_told(
    torn: tuple[Path, FaultProxy], mlops: Any, env: dict[str, str], s3: Any
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
