"""`map`: a command for each file of a pattern, of which only new and changed ones run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"
UPPER = """\
  upper:
    map: raw/*.txt
    cmd: ["echo ${item.name} >> seen", "tr a-z ${params.case} < ${item.path} > ${item.out}"]
    outs: ['out/upper/${item.stem}.up']
"""


@pytest.fixture
def write(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """write(steps): a repository whose pipeline.yaml has these steps, and three texts."""

    def make(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        (repo / "params.yaml").write_text("case: A-Z\n")
        (repo / ".gitignore").write_text(IGNORED)
        (repo / "raw").mkdir()
        for name in ("a", "b", "c d"):
            (repo / f"raw/{name}.txt").write_text(f"{name}\n")
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def seen(root: Path) -> list[str]:
    names = (root / "seen").read_text().splitlines()
    (root / "seen").unlink()
    return sorted(names)


def made(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "out/upper").iterdir()}


def test_only_new_and_changed_items_run_and_what_was_of_removed_ones_goes(
    write: Any, mlops: Any
) -> None:
    root = write(UPPER)
    mlops("run", code=0)
    assert seen(root) == ["a.txt", "b.txt", "c d.txt"]
    assert made(root) == {"a.up": "A\n", "b.up": "B\n", "c d.up": "C D\n"}
    (root / "raw/b.txt").write_text("bb\n")
    (root / "raw/e.txt").write_text("e\n")
    (root / "raw/a.txt").unlink()
    mlops("run", code=0)
    assert seen(root) == ["b.txt", "e.txt"]
    assert made(root) == {"b.up": "BB\n", "c d.up": "C D\n", "e.up": "E\n"}
    lock = json.loads((root / ".mlops/lock/upper.json").read_bytes())
    assert lock["facts"] == {"items": 3, "made": 2, "gone": 1}
    assert list(lock["outputs"]) == ["out/upper"]
    assert "Nothing to do" in mlops("run", code=0).stdout


def test_all_items_run_again_when_the_command_or_a_hand_changed_something(
    write: Any, mlops: Any
) -> None:
    root = write(UPPER)
    mlops("run", code=0)
    assert len(seen(root)) == 3
    (root / "params.yaml").write_text("case: a-z\n")
    mlops("run", code=0)
    assert len(seen(root)) == 3
    (root / "out/upper/a.up").write_text("by hand\n")
    (root / "raw/e.txt").write_text("e\n")
    mlops("run", code=0)
    assert len(seen(root)) == 4
    assert made(root)["a.up"] == "a\n"


def test_an_item_that_fails_is_named_and_what_was_there_stays(write: Any, mlops: Any) -> None:
    root = write(UPPER.replace(">> seen", ">> seen; test ${item.file} != bad.txt"))
    mlops("run", code=0)
    (root / "raw/bad.txt").write_text("bad\n")
    result = mlops("run", code=60)
    assert "exit status 1 on raw/bad.txt" in result.stderr
    assert sorted(made(root)) == ["a.up", "b.up", "c d.up"]


def test_an_item_that_writes_nothing_and_two_that_write_the_same_are_refused(
    write: Any, mlops: Any
) -> None:
    root = write("  m: {map: 'raw/*', cmd: 'true', outs: ['out/m/${item.file}']}\n")
    assert "did not write out/m/a.txt" in mlops("run", code=60).stderr
    (root / "raw/a.csv").write_text("x")
    text = "  m: {map: 'raw/*', cmd: 'cp ${item.path} ${item.out}', outs: ['out/m/${item.stem}']}\n"
    (root / "pipeline.yaml").write_text(HEAD + text)
    assert "raw/a.txt and raw/a.csv both make out/m/a" in mlops("run", code=60).stderr


def test_another_step_reads_the_folder_of_all_items(write: Any, mlops: Any) -> None:
    root = write(
        UPPER + "  all: {cmd: cat out/upper/* > out/all, deps: [steps.upper], outs: [out/all]}\n"
    )
    mlops("run", code=0)
    assert (root / "out/all").read_text() == "A\nB\nC D\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("map: raw, cmd: c, outs: ['o/${item.name}']", "pipeline.yaml:4:12: raw is no pattern"),
        ("map: 'raw/*', cmd: c, outs: [o]", "one output, in a folder"),
        ("map: 'raw/*', cmd: c, outs: ['${item.name}']", "one output, in a folder"),
        (
            "map: 'raw/*', cmd: 'c ${item.nam}', outs: ['o/${item.name}']",
            "did you mean '${item.name}'",
        ),
        (
            "map: 'raw/*', cmd: c, outs: ['o/${item.name}'], metrics: [m]",
            "4:64: a step with map has no",
        ),
        ("map: 'raw/*', for: [1], cmd: c, outs: ['o/${item.name}']", "does not exist"),
        ("map: '../*', cmd: c, outs: ['o/${item.name}']", "leaves the project"),
        ("map: 'raw/*', cmd: c, outs: ['../${item.name}']", "leaves the project"),
    ],
)
def test_what_is_wrong_with_a_map_is_refused(write: Any, mlops: Any, said: str, words: str) -> None:
    write(f"  a: {{{said}}}\n")
    assert words in mlops("run", code=10).stderr
