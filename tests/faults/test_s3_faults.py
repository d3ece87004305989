"""S3 behind a network that refuses, cuts, delays and corrupts: named, lived with, or both."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faultproxy import ALWAYS, FaultProxy, faulty

from mlops_cli.errors import ConfigError, IntegrityError, NotFound, OutsideWorld
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.workspace import sync
from mlops_cli.workspace.tracked import Tracked

NOW = datetime(2013, 1, 31, tzinfo=UTC)


class Line:
    """One project's data, and a remote in S3 behind a proxy."""

    def __init__(self, folder: Path, url: str, proxy: FaultProxy) -> None:
        self.folder, self.url, self.proxy = folder, url, proxy
        self.here = open_cache(folder / "here")
        rng = random.Random(7)
        (folder / "data").mkdir()
        for number in range(40):
            (folder / "data" / f"{number}.bin").write_bytes(rng.randbytes(2000))
        (folder / "data" / "large.bin").write_bytes(rng.randbytes(1_500_000))
        stored = ingest(folder / "data", cache=self.here)
        self.root = Root("data", stored.digest, stored.kind)
        self.tracked = [
            Tracked("data", stored.digest, stored.kind, stored.size, stored.files, "data.mlops")
        ]

    def remote(self, **options: Any) -> Remote:
        """Open it as a new process would; pauses between attempts are short."""
        words = {"endpoint": self.proxy.endpoint, "region": "us-east-1", **options}
        remote = open_remote(self.url, words, root=self.folder)
        object.__setattr__(remote.patience, "first", 0.0)
        return remote

    def push(self, *, everything: bool = False, **options: Any) -> Remote:
        remote = self.remote(**options)
        plan = sync.plan_push(self.here, remote, self.tracked, now=NOW, everything=everything)
        sync.push(plan, self.here, remote)
        return remote

    def pull(self, name: str = "there", **options: Any) -> Cache:
        there = open_cache(self.folder / name)
        sync.fetch(there, self.remote(**options), self.tracked, now=NOW)
        needed = closure(self.here, [self.root]).objects
        assert all(there.read(part) == self.here.read(part) for part in needed)
        return there


@pytest.fixture
def line(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    with faulty(s3.endpoint) as proxy:
        yield Line(tmp_path, s3.url(), proxy)


def refused(line: Line, code: str, **options: Any) -> OutsideWorld:
    with pytest.raises(OutsideWorld) as error:
        line.push(**options)
    assert error.value.code == code
    assert error.value.hint
    return error.value


def test_a_server_that_is_busy_for_a_while_is_waited_for(line: Line) -> None:
    for where in ("GET list-type", "PUT packs/", "PUT index/", "GET packs/", "GET index/"):
        line.proxy.do(where, "answer", status=429)
        line.proxy.do(where, "answer", status=503, code="SlowDown")
        line.proxy.do(where, "answer", status=500)
    line.push()
    line.pull()
    assert line.proxy.done


def test_a_line_that_is_cut_anywhere_is_lived_with(line: Line) -> None:
    line.proxy.do("PUT packs/", "cut-upload", at=50_000)
    line.proxy.do("PUT packs/", "drop-answer")
    line.proxy.do("PUT index/", "drop-answer")
    line.proxy.do("PUT packs/", "flip-upload", at=1000)  # the signature covers the bytes
    line.push()
    line.proxy.do("GET packs/", "cut", at=10)
    line.proxy.do("GET packs/", "cut", at=0)
    line.proxy.do("GET index/", "cut")
    line.proxy.do("GET list-type", "cut")
    line.pull()
    assert line.proxy.done


def test_requests_are_counted_where_they_leave_repetitions_too(line: Line) -> None:
    line.proxy.do("PUT packs/", "answer", status=503, code="SlowDown", times=3)
    remote = line.push()
    assert remote.requests.total == len(line.proxy.seen)
    line.proxy.seen.clear()
    quiet = line.push()
    assert quiet.requests.total == len(line.proxy.seen) <= 5
    assert quiet.requests.writes == 0


@pytest.mark.parametrize("kind", ["flip", "truncate"])
def test_wrong_bytes_are_named_by_path_and_never_used(line: Line, kind: Any) -> None:
    line.push()
    line.proxy.do("GET packs/", kind, times=ALWAYS, at=700_000)
    line.proxy.do("GET recipes/", kind, times=ALWAYS, at=60)
    with pytest.raises(IntegrityError) as error:
        line.pull()
    assert error.value.code == "damaged-object"
    assert error.value.details["damaged"][0]["path"].startswith("data")
    line.proxy.plan.clear()
    line.pull()  # it was the line and not the remote


def test_what_the_store_says_is_not_there_is_named_by_path(line: Line) -> None:
    line.push()
    line.proxy.do("GET packs/", "answer", status=404, code="NoSuchKey", times=ALWAYS)
    with pytest.raises(NotFound) as error:
        line.pull()
    assert error.value.code == "missing-object"


def test_a_remote_that_may_only_be_read_is_told_before_the_bytes(line: Line) -> None:
    line.push()
    (line.folder / "data/new").write_bytes(b"new")
    stored = ingest(line.folder / "data", cache=line.here)
    line.tracked = [Tracked("data", stored.digest, stored.kind, 0, 0, "data.mlops")]
    line.proxy.do("PUT", "answer", status=403, code="AccessDenied", times=ALWAYS)
    line.proxy.seen.clear()
    assert "may only be read" in refused(line, "remote-read-only").message
    assert [path for method, path in line.proxy.seen if method == "PUT" and "packs/" in path] == []


REFUSALS = [
    (400, "ExpiredToken", "credentials-expired"),
    (403, "InvalidAccessKeyId", "credentials-wrong"),
    (403, "SignatureDoesNotMatch", "credentials-wrong"),
    (403, "RequestTimeTooSkewed", "clock-skew"),
    (404, "NoSuchBucket", "bucket-missing"),
    (400, "AuthorizationHeaderMalformed", "wrong-region"),
    (301, "PermanentRedirect", "wrong-region"),
    (403, "InvalidObjectState", "remote-archived"),
    (403, "AccessDenied", "remote-denied"),
]


def test_each_refusal_has_its_name_and_what_to_do(line: Line) -> None:
    remote = line.remote()
    for status, said, code in REFUSALS:
        line.proxy.do("GET", "answer", status=status, code=said)
        with pytest.raises(OutsideWorld) as error:
            remote.list("index")
        assert (error.value.code, bool(error.value.hint)) == (code, True)


def test_a_server_that_stays_busy_is_called_that(line: Line) -> None:
    line.proxy.do("", "answer", status=503, code="SlowDown", times=ALWAYS)
    assert "run the same command again later" in str(refused(line, "remote-busy").hint)
    for question in ("format.json", "list-type"):  # which are asked together
        assert 5 <= sum(question in path for _, path in line.proxy.seen) <= 9


def test_a_server_that_never_answers_does_not_hold_us_for_ever(line: Line) -> None:
    line.proxy.do("", "delay", seconds=60, times=ALWAYS)
    refused(line, "remote-unavailable", timeout=1, attempts=1)


def test_a_secret_in_the_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        open_remote("s3://b/x", {"fsspec": {"secret": "hush"}}, root=tmp_path)
    assert error.value.code == "credentials-in-settings"
    assert "hush" not in str(error.value.details) + error.value.message
