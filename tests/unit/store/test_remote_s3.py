"""What a person sets for an S3 remote is what the store hears; and what it is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from faultproxy import ALWAYS, faulty

from mlops_cli.errors import ConfigError, OutsideWorld
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import leave_listing, start
from mlops_cli.store.remotes.patience import Patience
from mlops_cli.store.remotes.pieces import Pieces
from mlops_cli.store.remotes.remote import Remote


@pytest.fixture
def server(ministack_s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in ministack_s3.env.items():
        monkeypatch.setenv(name, value)
    return ministack_s3


def opened(server: Any, **options: Any) -> Remote:
    return open_remote(server.url(), options, root=Path("/"))


def head(remote: Remote, name: str) -> Any:
    place = remote.url.removeprefix("s3://") + "/" + name
    bucket, _, key = place.partition("/")
    return remote.backend.filesystem.call_s3("head_object", Bucket=bucket, Key=key)


def test_the_store_encrypts_and_files_away_as_told(server: Any) -> None:
    remote = opened(server, sse_key_id="alias/ours", storage_class="STANDARD_IA")
    remote.write("packs/a", b"bytes")
    remote.write("index/a", b"bytes")

    pack, index = head(remote, "packs/a"), head(remote, "index/a")
    assert (pack["ServerSideEncryption"], pack["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")
    assert pack["StorageClass"] == "STANDARD_IA"
    assert index.get("StorageClass", "STANDARD") == "STANDARD"  # read at each pull


def test_a_key_without_its_encryption_is_refused(server: Any) -> None:
    with pytest.raises(ConfigError):
        opened(server, sse="AES256", sse_key_id="alias/ours")


def test_what_is_there_is_not_written_over_where_the_store_can_tell(server: Any) -> None:
    remote = opened(server)
    remote.write("packs/a", b"first", replace=False)
    remote.write("packs/a", b"other", replace=False)  # as long: taken for the same
    assert remote.read("packs/a", 0, 99) == b"first"
    remote.write("packs/a", b"torn no more", replace=False)
    assert remote.read("packs/a", 0, 99) == b"torn no more"
    start(remote, None)
    start(remote, None)
    assert set(remote.list("")) == {"format.json", "packs/a"}


def test_a_store_that_knows_no_conditions_is_asked_without(s3: Any, server: Any) -> None:
    with faulty(server.endpoint) as proxy:
        proxy.do("PUT", "answer", status=501, code="NotImplemented")
        remote = opened(server, endpoint=proxy.endpoint)
        remote.write("index/a", b"a", replace=False)
        remote.write("index/a", b"b", replace=False)
    assert opened_at(remote).read("index/a", 0, 9) == b"b"


def opened_at(remote: Remote) -> Remote:
    return open_remote(remote.url, {}, root=Path("/"))


def test_a_public_bucket_is_read_without_signing(server: Any, monkeypatch: Any) -> None:
    remote = opened(server)
    remote.write("index/a", b"a")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    reader = open_remote(remote.url, {"anonymous": True}, root=Path("/"))
    assert reader.read("index/a", 0, 9) == b"a"


def test_the_listing_is_whole_even_if_another_push_came_between(server: Any) -> None:
    remote = opened(server)
    remote.write("index/one.idx", b"1")

    class Busy(type(remote.backend)):  # type: ignore[misc]
        """Another push publishes its index just before our listing is written."""

        def write(self, name: str, parts: Any, *, replace: bool) -> None:
            if name == "listing" and "index/two.idx" not in self.list(""):
                super().write("index/two.idx", [b"22"], replace=True)
            super().write(name, parts, replace=replace)

    object.__setattr__(remote, "backend", rebuilt(Busy, remote.backend))
    leave_listing(remote, remote.list("index"))
    listing = remote.read("listing", 0, 999)
    assert listing == b"1 index/one.idx\n2 index/two.idx\n"


def rebuilt(kind: Any, backend: Any) -> Any:
    words = {name: getattr(backend, name) for name in ("filesystem", "bucket", "prefix")}
    return kind(**words, requests=backend.requests)


def test_pauses_grow_and_are_drawn_so_that_many_do_not_come_back_at_once() -> None:
    bounds: list[float] = []
    slept: list[float] = []

    def draw(low: float, high: float) -> float:
        bounds.append(high)
        return high / 2

    patience = Patience(attempts=6, first=1.0, longest=10.0, sleep=slept.append, draw=draw)
    calls = iter([ConnectionResetError()] * 5)

    def call() -> str:
        for problem in calls:
            raise problem
        return "done"

    assert patience.ask(call, worth=lambda exc: 99) == "done"
    assert (bounds, slept) == ([2.0, 4.0, 8.0, 10.0, 10.0], [1.0, 2.0, 4.0, 5.0, 5.0])


def test_a_wrong_address_is_not_asked_for_long(tmp_path: Path, server: Any) -> None:
    remote = opened(server, endpoint="http://127.0.0.1:1")
    with pytest.raises(OutsideWorld) as error:
        remote.read("a", 0, 1)
    assert error.value.code == "remote-unavailable"
    assert remote.requests.reads == 3


def test_pieces_read_as_the_bytes_they_are() -> None:
    parts = [b"", b"abc", memoryview(b"defgh"), b"", b"i"]
    file = Pieces(parts)
    assert len(file) == 9
    assert file.read() == b"abcdefghi"
    assert (file.seek(2), file.read(4), file.tell(), file.read(), file.read()) == (
        2,
        b"cdef",
        6,
        b"ghi",
        b"",
    )
    assert file.seek(-1, 2) == 8


def test_no_thread_is_left_waiting_for_a_line_that_died(server: Any) -> None:
    with faulty(server.endpoint) as proxy:
        proxy.do("", "delay", seconds=60, times=ALWAYS)
        remote = opened(server, endpoint=proxy.endpoint, timeout=1, attempts=1)
        with pytest.raises(OutsideWorld):
            remote.read("a", 0, 1)
        loop = remote.backend.filesystem.loop
        pending = asyncio.run_coroutine_threadsafe(_others(), loop).result(5)
    assert pending == 0


async def _others() -> int:
    return len([one for one in asyncio.all_tasks() if one is not asyncio.current_task()])
