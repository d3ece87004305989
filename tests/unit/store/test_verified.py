"""What was verified on a remote is remembered, and only that counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlops_cli.store import pack_index
from mlops_cli.store.care import verified
from mlops_cli.store.digest import Digest
from mlops_cli.store.transfer import remote_index
from mlops_cli.store.transfer.remote_index import RemoteIndex

NOW = datetime(2013, 3, 1, tzinfo=UTC)
A, B = Digest.of(b"a"), Digest.of(b"b")


def an_index(folder: Path, *digests: Digest) -> str:
    data = pack_index.write_index({digest.raw: (0, 1) for digest in digests})
    name = pack_index.index_name(data) + ".whole"
    (folder / "index").mkdir(parents=True, exist_ok=True)
    (folder / "index" / name).write_bytes(data)
    return name


def named(folder: Path, *names: str) -> None:
    remote_index.save(RemoteIndex(folder, "file:///r", frozenset(names), refreshed=NOW))


def test_only_objects_of_verified_indexes_count(tmp_path: Path) -> None:
    first, second = an_index(tmp_path, A), an_index(tmp_path, B)
    named(tmp_path, first, second)
    assert verified.verified(tmp_path).holds([A, B]) == set()

    verified.remember(tmp_path, [first], now=NOW)

    held = verified.verified(tmp_path)
    assert held.holds([A, B]) == {A}
    assert held.holds([A], since=NOW + timedelta(days=1)) == set()


def test_what_turned_out_wrong_or_is_no_longer_named_does_not_count(tmp_path: Path) -> None:
    first, second = an_index(tmp_path, A), an_index(tmp_path, B)
    named(tmp_path, first, second)
    verified.remember(tmp_path, [first, second], now=NOW)

    verified.remember(tmp_path, [], wrong=[first], now=NOW)
    assert verified.verified(tmp_path).holds([A, B]) == {B}
    named(tmp_path, first)
    assert verified.verified(tmp_path).holds([A, B]) == set()


def test_a_memory_that_cannot_be_read_verifies_nothing(tmp_path: Path) -> None:
    first = an_index(tmp_path, A)
    named(tmp_path, first)
    verified.remember(tmp_path, [first], now=NOW)
    for text in ("{", "[]", f'{{"at": {{"{first}": 7}}}}'):
        (tmp_path / verified.FILE).write_text(text)
        assert verified.verified(tmp_path).holds([A]) == set()
