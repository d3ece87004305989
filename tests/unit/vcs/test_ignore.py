"""Our block in a file of the person."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.vcs.ignore import BEGIN, END, add_lines, escaped, read_block, remove_lines
from mlops_cli.vcs.repo import Git


def test_the_block_is_added_changed_and_removed_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / ".gitignore"
    file.write_text("*.pyc")
    assert add_lines(file, ["/out/", "/data"])
    assert file.read_text() == f"*.pyc\n{BEGIN}\n/out/\n/data\n{END}\n"
    file.write_text(file.read_text() + "mine\n")
    assert not add_lines(file, ["/data"])
    assert add_lines(file, ["/more", "/data"])
    assert read_block(file) == ["/out/", "/data", "/more"]
    assert remove_lines(file, ["/out/", "/data", "/more"])
    assert file.read_text() == "*.pyc\nmine\n"


def test_a_file_that_held_nothing_else_disappears(tmp_path: Path) -> None:
    file = tmp_path / ".gitignore"
    add_lines(file, ["/x"])
    remove_lines(file, ["/x"])
    assert not file.exists()


def test_a_block_without_its_end_eats_no_line(tmp_path: Path) -> None:
    file = tmp_path / ".gitignore"
    file.write_text(f"{BEGIN}\nmine\n")
    add_lines(file, ["/x"])
    assert "mine" in file.read_text().splitlines()
    assert read_block(file) == ["/x"]


def test_an_escaped_name_matches_itself_only(tmp_path: Path) -> None:
    git = Git.init(tmp_path)
    names = ["a*b", "[x]", "q?", "tail ", "#hash", "!bang", "back\\slash"]
    add_lines(tmp_path / ".gitignore", [escaped(name) for name in names])
    for name in [*names, "aXb", "x", "qq", "tail"]:
        (tmp_path / name).touch()
    assert git.dirty() == [".gitignore", "aXb", "qq", "tail", "x"]
