"""What every kind of remote promises: one suite, and real servers behind it."""

from __future__ import annotations

import hashlib
import http.server
import random
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faultproxy import faulty

from mlops_cli.errors import ConfigError, MissingExtra, OutsideWorld
from mlops_cli.store import pack_index
from mlops_cli.store.cache import open_cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.workspace import sync
from mlops_cli.workspace.tracked import Tracked

NOW = datetime(2013, 1, 31, tzinfo=UTC)
KINDS = ("folder", "memory", "s3", "ministack_s3", "rclone_s3", "ssh_host")


@pytest.fixture(params=KINDS)
def again(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Remote]:
    """Open one empty remote, each time as another process would."""
    if request.param == "folder":
        return lambda: open_remote("remote", root=tmp_path)
    if request.param == "memory":
        url = f"memory://{uuid.uuid4().hex}"
        return lambda: open_remote(url, root=tmp_path)
    server = request.getfixturevalue(request.param)
    if request.param == "ssh_host":
        monkeypatch.setenv("HOME", str(server.home))
        place = server.url(uuid.uuid4().hex + "/deep")
        return lambda: open_remote(place, root=tmp_path)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    where = server.url()
    return lambda: open_remote(where, root=tmp_path)


def test_what_was_written_is_read_and_listed(again: Callable[[], Remote]) -> None:
    remote, data = again(), random.Random(1).randbytes(3_000_000)
    assert remote.list("packs") == {}
    assert remote.read("packs/a", 0, 10) is None

    remote.write("packs/a", data)
    remote.write("packs/deep/b", b"")
    with remote.writing("objects/c", len(data)) as target:
        target.write(data[:1000])
        target.write(data[1000:])

    other = again()
    assert other.list("packs") == {"a": len(data), "deep/b": 0}
    assert other.list("objects") == {"c": len(data)}
    assert other.read("packs/a", 0, len(data)) == data
    assert other.read("packs/a", 12345, 2_000_001) == data[12345:2_000_001]
    assert other.read("packs/a", len(data) - 5, len(data) + 5) == data[-5:]
    assert other.read("objects/c", 0, 1 << 30) == data
    assert other.read("packs/a", 7, 7) == b""


def test_a_name_gets_other_bytes_only_when_told_so(again: Callable[[], Remote]) -> None:
    remote = again()
    remote.write("index/a", b"old")
    remote.write("index/a", b"longer", replace=False)  # what lay there was torn
    assert remote.read("index/a", 0, 99) == b"longer"
    remote.write("index/a", b"newest", replace=True)
    assert remote.read("index/a", 0, 99) == b"newest"


def test_nothing_is_left_of_what_went_wrong(again: Callable[[], Remote]) -> None:
    remote = again()
    with pytest.raises(OutsideWorld), remote.writing("objects/a", 10) as target:
        target.write(b"half")
        raise OutsideWorld("the disk is gone", code="disk-error")
    assert remote.list("objects") == {}


def test_many_at_once_do_not_mix_their_answers(again: Callable[[], Remote]) -> None:
    remote = again()
    bodies = {f"packs/{number}": random.Random(number).randbytes(50_000) for number in range(16)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: remote.write(name, bodies[name]), bodies))
        found = list(pool.map(lambda name: remote.read(name, 0, 99_999), bodies))
    assert found == list(bodies.values())


def test_data_goes_there_and_comes_back(tmp_path: Path, again: Callable[[], Remote]) -> None:
    one, here = world(tmp_path)

    remote = again()
    sent, _ = sync.push(sync.plan_push(here, remote, [one], now=NOW), here, remote)
    assert sent.objects > 50

    quiet = again()
    plan = sync.plan_push(here, quiet, [one], now=NOW).plan
    assert plan.objects == 0
    there = open_cache(tmp_path / "there")
    sync.fetch(there, again(), [one], now=NOW)
    assert all(there.read(part) == here.read(part) for part in closure(here, [one.root]).objects)


@pytest.mark.parametrize("listing", [True, False])
def test_a_web_server_in_front_of_a_remote_is_enough_to_read_it(
    tmp_path: Path, listing: bool
) -> None:
    one, here = world(tmp_path)
    place = open_remote("remote", root=tmp_path)
    sync.push(sync.plan_push(here, place, [one], now=NOW), here, place)

    with web(tmp_path / "remote", listing=listing) as address:
        there = open_cache(tmp_path / "there")
        remote = open_remote(address, root=tmp_path)
        sync.fetch(there, remote, [one], now=NOW)
        assert remote.requests.writes == 0
        assert all(
            there.read(part) == here.read(part) for part in closure(here, [one.root]).objects
        )
        plan = sync.plan_push(here, remote, [other(tmp_path, here)], now=NOW)
        with pytest.raises(OutsideWorld) as refused:
            sync.push(plan, here, remote)
    assert refused.value.code == "remote-read-only"


def test_a_stranger_who_lists_names_that_climb_out_writes_nothing(tmp_path: Path) -> None:
    data = pack_index.write_index({bytes(32): (0, 1)})
    digest = hashlib.sha256(data).hexdigest()
    names = [f"index/../../../{digest}.idx", f"index//{tmp_path}/{digest}.idx"]
    (tmp_path / "remote/index").mkdir(parents=True)
    (tmp_path / f"{digest}.idx").write_bytes(data)
    lines = [f"{len(data)} {name}\n" for name in names]
    (tmp_path / "remote/listing").write_text("".join(lines))
    with web(tmp_path / "remote", listing=False) as address:
        remote = open_remote(address, root=tmp_path)
        assert remote.list("index") == {}


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("gs://bucket/x", "gcsfs", "gs"), ("az://box/x", "adlfs", "azure")],
)
def test_a_kind_that_needs_an_extra_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtra) as missing:
        open_remote(url, root=tmp_path)
    assert missing.value.hint == f"pip install 'mlops-cli[{extra}]'"


def test_a_kind_of_remote_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        open_remote("gopher://somewhere/data", root=tmp_path)
    assert refused.value.code == "remote-kind-unknown"


def test_a_host_that_nobody_vouched_for_is_refused(
    tmp_path: Path, ssh_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text(
        f"Host *\n  IdentityFile {ssh_host.home}/.ssh/id_ecdsa\n"
        f"  UserKnownHostsFile {tmp_path}/none\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OutsideWorld) as refused:
        open_remote(ssh_host.url(), root=tmp_path).list("index")
    assert refused.value.code == "host-unknown"


def test_a_key_that_the_host_does_not_know_is_refused(
    tmp_path: Path, ssh_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(ssh_host.home))
    url = ssh_host.url().replace("ada@", "eve@")
    with pytest.raises(OutsideWorld) as refused:
        open_remote(url, root=tmp_path).list("index")
    assert refused.value.code == "credentials-wrong"


def test_a_line_to_a_host_that_broke_is_made_again(
    tmp_path: Path, ssh_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(ssh_host.home))
    remote = open_remote(ssh_host.url(uuid.uuid4().hex), root=tmp_path)
    object.__setattr__(remote.patience, "first", 0.0)
    remote.write("index/a", b"a")
    remote.backend.line._client.get_transport().sock.close()
    assert remote.read("index/a", 0, 9) == b"a"


@pytest.mark.parametrize("kind", ["cut", "answer"])
def test_a_web_server_that_fails_now_and_then_is_asked_again(tmp_path: Path, kind: Any) -> None:
    data = random.Random(2).randbytes(100_000)
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote/pack").write_bytes(data)
    with web(tmp_path / "remote", listing=True) as address, faulty(address) as proxy:
        proxy.do("GET", kind, status=503, times=2)
        remote = open_remote(proxy.endpoint, root=tmp_path)
        object.__setattr__(remote.patience, "first", 0.0)
        assert remote.read("pack", 10, 90_000) == data[10:90_000]
        assert remote.requests.reads == 3


def world(folder: Path) -> tuple[Tracked, Any]:
    rng = random.Random(1)
    (folder / "data").mkdir()
    for number in range(50):
        (folder / "data" / str(number)).write_bytes(rng.randbytes(1000))
    (folder / "data" / "large").write_bytes(rng.randbytes(9 << 20))
    (folder / "data" / "nothing").touch()
    cache = open_cache(folder / "here")
    return tracked(folder, cache, "data"), cache


def other(folder: Path, cache: Any) -> Tracked:
    (folder / "other").write_text("other")
    return tracked(folder, cache, "other")


def tracked(folder: Path, cache: Any, name: str) -> Tracked:
    stored = ingest(folder / name, cache=cache)
    root = Root(name, stored.digest, stored.kind)
    return Tracked(root.path, root.digest, root.kind, stored.size, stored.files, f"{name}.mlops")


@contextmanager
def web(folder: Path, *, listing: bool) -> Iterator[str]:
    class Server(http.server.SimpleHTTPRequestHandler):
        def list_directory(self, path: Any) -> Any:
            if listing:
                return super().list_directory(path)
            self.send_error(403)
            return None

        def log_message(self, *words: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Server, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
