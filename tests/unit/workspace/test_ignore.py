"""`.mlopsignore` means what the same lines mean to git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlops_cli.workspace.ignore import ignored_in, judge, parse

PATHS = [
    "a.tmp",
    "keep.tmp",
    "deep/b.tmp",
    "deep/er/c.csv",
    "build/x.o",
    "src/build/y.o",
    "logs/2024/a.log",
    "logs/a.log",
    "x1.bin",
    "x2.bin",
    "xa.bin",
    "#hash",
    "!bang",
    "a b",
    "[1]",
]


@pytest.mark.parametrize(
    "lines",
    [
        "*.tmp",
        "*.tmp\n!keep.tmp",
        "/a.tmp",
        "deep/*.tmp",
        "**/b.tmp",
        "deep/**",
        "deep/**/c.csv",
        "build/",
        "/build/",
        "logs/**/a.log",
        "x[0-9].bin",
        "x[!0-9].bin",
        "x?.bin",
        r"\#hash",
        r"\!bang",
        "# comment\n\n*.o",
        r"a\ b",
        r"\[1\]",
        "*",
        "*\n!*/\n!*.csv",
    ],
)
def test_each_pattern_means_what_git_says(tmp_path: Path, lines: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(lines + "\n")
    (tmp_path / ".mlopsignore").write_text(lines + "\n")
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    by_git = {path for path in asked.stdout.split("\0") if path in PATHS}

    ignored = ignored_in(tmp_path, ".")
    assert ignored is not None
    by_us = set()
    for path in PATHS:
        parents = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if not any(ignored(parent, True) for parent in parents) and not ignored(path, False):
            by_us.add(path)

    assert by_us == by_git


def test_without_an_ignore_file_there_is_nothing_to_ask(tmp_path: Path) -> None:
    assert ignored_in(tmp_path, "data/raw") is None


def test_a_nearer_file_wins_over_one_further_up(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / ".mlopsignore").write_text("*.tmp\n/data/secret\n")
    (tmp_path / "data" / ".mlopsignore").write_text("!keep.tmp\n")

    ignored = ignored_in(tmp_path, "data")

    assert ignored is not None
    assert ignored("a.tmp", False)
    assert not ignored("keep.tmp", False)
    assert ignored("secret", True)
    assert not ignored("deep/secret", True)


def test_no_pattern_gives_no_verdict() -> None:
    assert judge(parse("# nothing\n"), "a", False) is None
