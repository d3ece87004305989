"""What a script logs becomes records, whatever becomes of the script; nothing of MLflow is here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.integrations.mlflow import values
from mlops_cli.integrations.mlflow.book import Book, put_file
from mlops_cli.integrations.mlflow.entity import Point
from mlops_cli.integrations.mlflow.settling import settle
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.store.cache import open_cache
from mlops_cli.vcs.repo import Git

FACTS = {"experiment": "0", "status": "RUNNING", "start": 1_700_000_000_000, "name": "first"}


@pytest.fixture
def root(repo: Path, git: Any) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return repo


def book_of(root: Path) -> Book:
    git = Git(root)
    return Book(git, open_cache(root / ".mlops/cache"), open_ledger(git))


def records(root: Path, kind: str = "run") -> list[Any]:
    with open_index(Git(root)) as index:
        return list(index.newest(kind))


def test_a_run_becomes_a_record_when_it_ends(root: Path, tmp_path: Path) -> None:
    book = book_of(root)
    book.create("run", "r1", set=FACTS)
    book.change("run", "r1", params={"lr": "0.1", "note": "0.10"}, tags={"team": "rail"})
    points = [Point("loss", 0.5, 5, 0), Point("loss", math.inf, 6, 1)]
    book.change("run", "r1", points=points)
    (tmp_path / "plot.txt").write_text("plot")
    file = put_file(book, tmp_path / "plot.txt")
    book.change("run", "r1", files={"plots/plot.txt": file})
    assert settle(book) == 0  # it is under way
    assert not records(root)

    book.change("run", "r1", set={"status": "FINISHED", "end": 1_700_000_002_500})
    assert settle(book) == 1

    (record,) = records(root)
    assert (record["status"], record["seconds"], record["step"]) == ("done", 2.5, "Default")
    assert record["params"] == {"lr": 0.1, "note": "0.10"}
    assert not list((root / ".mlops/spool").glob("*.mlflow"))
    again = book_of(root).get("run", "r1", whole=True)
    assert again is not None
    assert again.params == {"lr": "0.1", "note": "0.10"}
    assert again.points == points
    assert book_of(root).files("run", "r1") == {"plots/plot.txt": file}


def test_what_is_logged_after_the_end_replaces_the_record(root: Path) -> None:
    book = book_of(root)
    book.create("run", "r1", set={**FACTS, "status": "FINISHED", "end": 1_700_000_001_000})
    settle(book)
    book.change("run", "r1", points=[Point("accuracy", 0.9, 1, 0)])
    settle(book)

    newer, older = records(root)
    assert newer["replaces"] == str(older.digest)
    assert newer["metrics"] == {"accuracy": 0.9}
    found = book.get("run", "r1")
    assert found is not None
    assert found.facts["status"] == "FINISHED"
    assert [thing.id for thing in book.all("run")] == ["r1"]


def test_a_run_whose_process_is_gone_counts_as_killed(root: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from mlops_cli.integrations.mlflow.journal import Journals, Name\n"
        "journals = Journals(Path(sys.argv[2]))\n"
        "journals.write(Name('run', 'r1'), {'set': {'experiment': '0', 'status': 'RUNNING'}},"
        " base=None)\n"
        "import os; os.kill(os.getpid(), 9)\n"
    )
    here = str(Path(__file__).parents[4])
    subprocess.run([sys.executable, "-c", code, here, str(root / ".mlops/spool")], check=False)

    settle(book_of(root))

    (record,) = records(root)
    assert record["status"] == "killed"


def test_a_crash_between_records_and_journals_records_nothing_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = book_of(root)
    book.create("run", "r1", set={**FACTS, "status": "FAILED", "end": 1_700_000_001_000})
    journal = next((root / ".mlops/spool").glob("*.mlflow"))
    kept = journal.read_bytes()
    settle(book)
    journal.write_bytes(kept)  # as if the process had died before it was removed

    settle(book_of(root))

    assert len(records(root)) == 1


def test_a_line_that_was_cut_short_says_nothing(root: Path) -> None:
    book = book_of(root)
    book.create("run", "r1", set=FACTS)
    journal = next((root / ".mlops/spool").glob("*.mlflow"))
    with open(journal, "ab") as file:
        file.write(b'{"params":{"lr"')
    book_of(root).change("run", "r1", params={"depth": "3"})

    found = book_of(root).get("run", "r1")
    assert found is not None
    assert found.params == {"depth": "3"}


def test_gc_sees_what_journals_name(root: Path) -> None:
    from mlops_cli.ledger import roots

    book = book_of(root)
    digest = book.cache.put(b"weights")
    book.create("run", "r1", set=FACTS)
    book.change("run", "r1", files={"w.bin": (str(digest), 7)})

    assert digest.raw in roots.roots(root, Git(root)).digests


@pytest.mark.parametrize(
    "text",
    ["0.1", "1", "-3", "1e-05", "True", "None", "0.10", "1_0", "nan", "inf", "٣", "", "1e400"],
)
def test_a_param_is_a_number_only_if_it_can_be_written_back(text: str) -> None:
    assert values.untyped(values.typed(text)) == text
    assert os.fspath(text) == text
