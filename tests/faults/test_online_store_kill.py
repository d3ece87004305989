"""kill -9 in the middle of a publication: readers see the former snapshot, a rerun completes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_cli
from mlops_cli.errors import IntegrityError
from mlops_cli.features.online import Found, Layout, Snapshot
from mlops_cli.features.sqlite import SqliteStore

SOURCE = str(Path(mlops_cli.__file__).parents[1])
ROWS = 20_000
WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from mlops_cli.features.online import Layout, Snapshot
from mlops_cli.features.sqlite import SqliteStore
stop = int(sys.argv[3])
def rows():
    for n in range(20000):
        if n == stop:
            print("here", flush=True)
            sys.stdin.read()
        yield ((n,), None, (2.0,))
layout = Layout({"n": "int"}, {"x": "float"})
store = SqliteStore(Path(sys.argv[1]))
print("begin", flush=True)
store.publish(Snapshot("v", layout, 2, "two", (None,), rows()))
"""


def shot(generation: int) -> Snapshot:
    rows = [((n,), None, (float(generation),)) for n in range(ROWS)]
    return Snapshot("v", Layout({"n": "int"}, {"x": "float"}), generation, "", (None,), rows)


def all_values(store: SqliteStore) -> set[tuple[float, ...]]:
    found = store.read("v", [(n,) for n in range(0, ROWS, 7)], at=[9] * len(range(0, ROWS, 7)))
    assert all(one.missing is None for one in found)
    return {one.values for one in found}


def test_a_writer_killed_anywhere_leaves_the_former_snapshot_whole(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.publish(shot(1))
    # in the middle of the rows, at their end, and at moments of chance in the publication
    for stop, delay in [(ROWS // 2, 0.0), (ROWS - 1, 0.0), (-1, 0.02), (-1, 0.05)]:
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), SOURCE, str(stop)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout
            child.stdout.readline()
            if stop >= 0:
                child.stdout.readline()
                assert all_values(store) == {(1.0,)}  # while it writes, readers read
            else:
                try:
                    child.wait(delay * random.Random(stop).random())
                except subprocess.TimeoutExpired:
                    pass
            child.send_signal(signal.SIGKILL)
        seen = all_values(store)
        assert seen in ({(1.0,)}, {(2.0,)})
        about = store.about("v")
        assert about is not None
        assert {(float(about.as_of),)} == seen
        assert all_values(SqliteStore(tmp_path)) == seen
    done = store.publish(shot(3))
    assert (done.entities, done.written) == (ROWS, ROWS)
    assert all_values(store) == {(3.0,)}
    store.close()


def test_a_damaged_file_is_named_and_never_answers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.publish(shot(1))
    store.close()
    store.path("v").write_bytes(b"x" * 5000)
    for asked in (lambda: store.read("v", [(1,)], at=[9]), lambda: store.publish(shot(2))):
        with pytest.raises(IntegrityError) as damaged:
            asked()
        assert damaged.value.code == "damaged-online-store"
        assert "materialize v" in str(damaged.value.hint)
    store.close()
    store.path("v").unlink()
    store.publish(shot(2))
    assert store.read("v", [(1,)], at=[9]) == [Found((2.0,))]
    store.close()
