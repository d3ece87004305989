"""The board of claims: of many who change a note at once, one does."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs.claims import Board
from mlops_cli.vcs.note import Change
from mlops_cli.vcs.repo import Git

NOW = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["here", "remote", "branch"])
def boards(
    request: Any, repo: Path, git: Any, tmp_path: Path, monkeypatch: Any, environment: Any
) -> list[Board]:
    """Two boards on which the same notes stand: of one repository, of two clones, of two clones
    of a forge that takes branches only."""
    git("commit", "-q", "--allow-empty", "-m", "begin")
    if request.param == "here":
        return [Board(Git(repo), None), Board(Git(repo), None)]
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    git("remote", "add", "origin", str(bare))
    other = Path(shutil.copytree(repo, tmp_path / "other"))
    branch = None
    if request.param == "branch":
        branch = "mlops-ledger"
        refuse(bare)
    return [Board(Git(repo), "origin", branch), Board(Git(other), "origin", branch)]


def refuse(bare: Path, refs: str = "refs/mlops/*") -> None:
    """Let the repository refuse pushes to `refs`, as some forges do."""
    hook = bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    words = f"case $ref in {refs}) echo no $ref >&2; exit 1;; esac"
    hook.write_text(f"#!/bin/sh\nwhile read old new ref; do {words}; done\n")
    hook.chmod(0o755)


def test_a_note_is_made_where_none_is_and_read_by_others(boards: list[Board]) -> None:
    one, two = boards
    made = one.change({"t/w": Change(None, b'{"a":1}')}, time=NOW)
    assert made.done
    two.refresh()
    note = two.read()["t/w"]
    assert (note.id, note.text) == (made.ids["t/w"], b'{"a":1}')


def test_a_note_that_stands_is_not_made_again(boards: list[Board]) -> None:
    one, two = boards
    assert one.change({"t/w": Change(None, b"1")}, time=NOW).done
    again = two.change({"t/w": Change(None, b"2")}, time=NOW)
    assert not again.done
    two.refresh()
    assert two.read()["t/w"].text == b"1"


def test_a_change_asks_for_what_stood_there(boards: list[Board]) -> None:
    one, two = boards
    first = one.change({"t/w": Change(None, b"1")}, time=NOW).ids["t/w"]
    second = one.change({"t/w": Change(first, b"2")}, time=NOW).ids["t/w"]
    assert not two.change({"t/w": Change(first, b"3")}, time=NOW).done
    assert not two.change({"t/w": Change(first, None)}, time=NOW).done
    assert two.change({"t/w": Change(second, None)}, time=NOW).done
    one.refresh()
    assert one.read() == {}


def test_several_notes_change_together_or_not_at_all(boards: list[Board]) -> None:
    one, two = boards
    assert one.change({"_/_/1": Change(None, b"1")}, time=NOW).done
    both = {"t/w": Change(None, b"2"), "_/_/1": Change(None, b"2")}
    assert not two.change(both, time=NOW).done
    two.refresh()
    assert set(two.read()) == {"_/_/1"}
    assert two.change({"t/w": Change(None, b"2"), "_/_/2": Change(None, b"2")}, time=NOW).done


def test_of_many_at_once_exactly_one_makes_the_note(boards: list[Board]) -> None:
    def claim(number: int) -> bool:
        text = str(number).encode()
        return boards[number % 2].change({"t/w": Change(None, text)}, time=NOW).done

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(claim, range(6))) == 1


def test_a_remote_that_takes_no_such_refs_is_named(repo: Path, git: Any, tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "begin")
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    refuse(bare)
    git("remote", "add", "origin", str(bare))
    with pytest.raises(OutsideWorld, match="does not take refs") as refused:
        Board(Git(repo), "origin").change({"t/w": Change(None, b"1")}, time=NOW)
    assert refused.value.code == "claims-refused"
    assert "ledger.branch" in str(refused.value.hint)


def test_a_branch_that_is_protected_is_named(repo: Path, git: Any, tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "begin")
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    refuse(bare, "refs/*")
    git("remote", "add", "origin", str(bare))
    with pytest.raises(OutsideWorld, match="the branch ours-claims") as refused:
        Board(Git(repo), "origin", "ours").change({"t/w": Change(None, b"1")}, time=NOW)
    assert refused.value.code == "refs-refused"


def test_a_remote_that_is_gone_is_an_error_and_no_lost_race(
    repo: Path, git: Any, tmp_path: Path
) -> None:
    git("commit", "-q", "--allow-empty", "-m", "begin")
    git("remote", "add", "origin", str(tmp_path / "nowhere"))
    board = Board(Git(repo), "origin")
    with pytest.raises(OutsideWorld):
        board.change({"t/w": Change(None, b"1")}, time=NOW)
    with pytest.raises(OutsideWorld):
        board.refresh()
