"""Files that appear whole or not at all, and what is no file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from mlops_cli import fsio
from mlops_cli.errors import OutsideWorld


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe, seen = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    fsio.write_atomic(pipe, "a report")
    reader.join(20)
    assert seen == [b"a report"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_failure_leaves_the_former_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("former")
    with pytest.raises(ZeroDivisionError), fsio.replacing(target) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert target.read_text() == "former" and os.listdir(tmp_path) == ["kept.txt"]


def test_a_folder_in_the_way_is_an_error_of_the_outside_world(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutsideWorld, match="cannot write"):
        fsio.write_atomic(tmp_path / "out", "x")
    assert os.listdir(tmp_path) == ["out"]
