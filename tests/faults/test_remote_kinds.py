"""Another S3 server, and a file system that is neither: the same bytes come back."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.store.cache import open_cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.fetch import fetch
from mlops_cli.store.ingest import ingest
from mlops_cli.store.remote import Remote
from mlops_cli.store.remote_index import memory, refresh
from mlops_cli.store.remote_kinds import open_remote
from mlops_cli.store.remote_layout import check_format
from mlops_cli.store.transfer import plan_push, push

NOW = datetime(2013, 1, 31, tzinfo=UTC)


def there_and_back(folder: Path, remote: Remote) -> None:
    rng = random.Random(1)
    (folder / "data").mkdir()
    for number in range(50):
        (folder / "data" / str(number)).write_bytes(rng.randbytes(1000))
    (folder / "data" / "large").write_bytes(rng.randbytes(18 << 20))  # two parts
    (folder / "data" / "nothing").touch()
    here, there = open_cache(folder / "here"), open_cache(folder / "there")
    stored = ingest(folder / "data", cache=here)
    root = Root("data", stored.digest, stored.kind)

    check_format(remote, create=True)
    index = refresh(remote, memory(here.root, remote.id), now=NOW, thorough=True)
    push(plan_push(here, index, [root]), here, remote, index)
    fetch(there, remote, refresh(remote, memory(there.root, remote.id), now=NOW), [root])

    needed = closure(here, [root]).objects
    assert all(there.read(digest) == here.read(digest) for digest in needed)


def test_a_second_s3_server_is_understood(
    tmp_path: Path, ministack_s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ministack_s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ministack_s3.secret)
    options = {"endpoint": ministack_s3.endpoint, "region": "us-east-1"}
    there_and_back(tmp_path, open_remote(ministack_s3.url(), options, root=tmp_path))


def test_any_file_system_of_fsspec_will_do(tmp_path: Path) -> None:
    there_and_back(tmp_path, open_remote(f"memory://{uuid.uuid4().hex}", root=tmp_path))


def test_a_kind_of_remote_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        open_remote("gopher://somewhere/data", root=tmp_path)
    assert refused.value.code == "remote-kind-unknown"
