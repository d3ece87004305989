"""What push says of the way in which large objects travel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.cli import checkup
from mlops_cli.store import chunks


@pytest.fixture
def without_cutter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fastcdc as pip leaves it where no wheel is for this Python and no compiler is there."""
    package = tmp_path / "pure/fastcdc"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "fastcdc_py.py").write_text("")
    (package / "fastcdc_cy.cpython-27-x86_64-linux-gnu.so").write_bytes(b"of another Python")
    monkeypatch.syspath_prepend(package.parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "fastcdc"]:
        monkeypatch.delitem(sys.modules, name)
    chunks.available.cache_clear()
    yield
    chunks.available.cache_clear()


@pytest.mark.usefixtures("without_cutter")
def test_without_a_cutter_push_says_once_that_large_objects_go_whole(
    repo: Path, mlops: Any
) -> None:
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    (repo / "also.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "big.bin", "also.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    (warning,) = mlops("push", "--json", code=0).json["warnings"]
    assert "[missing-cutter]; with a C compiler: pip install" in warning
    assert len(list((repo.parent / "remote/index").glob("*.whole"))) == 1
    assert "missing-cutter" not in mlops("push", code=0).stderr  # nothing goes
    found = {one.name: one for one in checkup.versions()}["chunks"]
    assert (found.state, found.mend) == ("note", chunks.MEND)


def test_a_plan_says_at_most_where_chunks_of_large_objects_are_there(
    repo: Path, mlops: Any
) -> None:
    data = os.urandom(1 << 20)
    (repo / "big.bin").write_bytes(data)
    mlops("add", "big.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    assert "Would send 1 object, 1.0 MiB" in mlops("push", "--plan", code=0).stdout
    assert mlops("push", "--json", code=0).json["warnings"] == []
    (repo / "big.bin").write_bytes(data + b"more")
    mlops("add", "big.bin", code=0)
    assert "Would send at most 1 object, 1.0 MiB" in mlops("push", "--plan", code=0).stdout
    (remote,) = mlops("push", "--plan", "--json", code=0).data["remotes"]
    assert remote["at_most"] is True
    assert "at most" not in mlops("push", code=0).stdout
