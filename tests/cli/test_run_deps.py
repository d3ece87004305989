"""What steps read: patterns, other steps and features by name, URLs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.pipeline.globs import expand, matches, may_touch

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"


@pytest.fixture
def write(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """write(steps): a repository whose pipeline.yaml has these steps, and three tables."""

    def make(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        (repo / ".gitignore").write_text(IGNORED)
        (repo / "data").mkdir()
        for name in "ab":
            (repo / f"data/{name}.csv").write_text(f"{name}\n")
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def did(result: Any) -> dict[str, str]:
    return {step["step"]: step["did"] for step in result.data["steps"] if step["did"]}


def inputs(root: Path, step: str) -> list[str]:
    return list(json.loads((root / f".mlops/lock/{step}.json").read_bytes())["parts"]["inputs"])


def test_a_pattern_is_the_list_of_its_files_and_a_new_one_is_a_new_input(
    write: Any, mlops: Any
) -> None:
    root = write("  all: {cmd: cat data/*.csv > out/all, deps: ['data/*.csv'], outs: [out/all]}\n")
    mlops("run", code=0)
    assert inputs(root, "all") == ["data/a.csv", "data/b.csv"]
    assert "Nothing to do" in mlops("run", code=0).stdout
    (root / "data/c.csv").write_text("c\n")
    (root / "data/notes.txt").write_text("of no step\n")
    assert "data/c.csv is a new input" in mlops("explain", "all", code=0).stdout
    mlops("run", code=0)
    (root / "data/a.csv").unlink()
    assert "data/a.csv is no input any more" in mlops("explain", "all", code=0).stdout


def test_a_pattern_sees_what_another_step_makes_in_the_same_run(write: Any, mlops: Any) -> None:
    root = write(
        "  all: {cmd: cat parts/* tree/* > out/all, deps: ['parts/*.txt', 'tree/**'],"
        " outs: [out/all]}\n"
        "  one: {cmd: echo 1 > parts/one.txt, outs: [parts/one.txt]}\n"
        "  two: {cmd: cp data/a.csv parts/two.txt, deps: [data/a.csv], outs: [parts/two.txt]}\n"
        "  tree: {cmd: 'mkdir tree; cp data/* tree', deps: [data], outs: [tree]}\n"
    )
    mlops("run", code=0)
    assert inputs(root, "all") == [
        "parts/one.txt",
        "parts/two.txt",
        "tree/a.csv",
        "tree/b.csv",
    ]
    assert "Nothing to do" in mlops("run", code=0).stdout
    (root / "data/c.csv").write_text("c\n")
    assert did(mlops("run", "--json", code=0)) == {"tree": "ran", "all": "ran"}
    assert "tree/c.csv" in inputs(root, "all")


def test_a_pattern_that_stands_for_nothing_is_refused(write: Any, mlops: Any) -> None:
    write("  all: {cmd: c, deps: ['data/*.parquet'], outs: [out/all]}\n")
    result = mlops("run", code=20)
    assert "pipeline.yaml:4:24" in result.stderr
    assert "data/*.parquet" in result.stderr


def test_patterns_match_as_the_shell_does(tmp_path: Path) -> None:
    for name in ("a/x.csv", "a/.h.csv", "a/b/y.csv", "a/b/c/z.csv", "a/t.csv.mlops"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert expand(tmp_path, "a/*.csv") == ("a/t.csv", "a/x.csv")  # one is known by its pointer
    assert expand(tmp_path, "a/**/*.csv") == ("a/b/c/z.csv", "a/b/y.csv", "a/x.csv")
    assert expand(tmp_path, "a/[x-y].csv") == ("a/x.csv",)
    assert expand(tmp_path, "n/*", ["n/1", "m/1"]) == ("n/1",)
    for pattern in ("a/*.csv", "a/**/*.csv", "a/**", "a/?.csv", "**/z.csv"):
        for path in ("a/x.csv", "a/.h.csv", "a/b/y.csv", "a/b/c/z.csv"):
            there = path in expand(tmp_path, pattern)
            assert matches(pattern, path) == there, (pattern, path)
            assert not there or may_touch(pattern, path)
    assert may_touch("a/*/x", "a/b")
    assert not may_touch("a/*/x", "b")


def test_a_step_reads_all_that_another_one_makes_by_its_name(write: Any, mlops: Any) -> None:
    root = write(
        "  last: {cmd: cat out/x > out/z, deps: [steps.first], outs: [out/z]}\n"
        "  first: {cmd: \"echo 1 > out/x; echo '{}' > m.json\", outs: [out/x], metrics: [m.json]}\n"
    )
    assert list(did(mlops("run", "--json", code=0))) == ["first", "last"]
    assert inputs(root, "last") == ["m.json", "out/x"]


@pytest.mark.parametrize(
    ("dep", "words"),
    [
        ("steps.frist", "did you mean 'steps.first'?"),
        ("features.first", "features.first"),
        ("steps.none", "the step none makes nothing that last could read"),
        ("ftp://a/b", "no URL that a step can read"),
        ("https://me:pw@example.org/x", "holds a secret"),
        ("../*.csv", "leaves the project"),
    ],
)
def test_deps_that_nobody_can_read_are_refused_at_their_place(
    write: Any, mlops: Any, dep: str, words: str
) -> None:
    write(
        f"  last: {{cmd: c, deps: ['{dep}']}}\n"
        "  first: {cmd: c, outs: [out/x]}\n"
        "  none: {cmd: c}\n"
    )
    result = mlops("run")
    assert result.code in (10, 20)
    assert "pipeline.yaml:4:25" in result.stderr
    assert words in result.stderr


def test_a_url_is_asked_about_once_and_again_when_told_so(write: Any, mlops: Any, web: Any) -> None:
    url = web.of("t.csv", b"1\n")
    root = write(f"  get: {{cmd: echo got >> out/n, deps: ['{url}'], outs: [out/n]}}\n")
    mlops("run", code=0)
    lock = json.loads((root / ".mlops/lock/get.json").read_bytes())
    assert lock["parts"]["inputs"] == {url: "etag:" + web.etag(b"1\n").strip('"')}
    asked = len(web.asked)
    web.of("t.csv", b"2\n")
    assert "Nothing to do" in mlops("run", code=0).stdout
    assert len(web.asked) == asked
    assert did(mlops("run", "--refresh", "--json", code=0)) == {"get": "ran"}
    assert "Nothing to do" in mlops("run", "--refresh", code=0).stdout
    web.statuses += [404] * 4
    assert "does not exist" in mlops("run", "--refresh", code=20).stderr


def test_a_server_without_marks_is_known_by_the_bytes_it_sends(
    write: Any, mlops: Any, web: Any
) -> None:
    import hashlib

    web.etags = False
    url = web.of("t.csv", b"1\n", modified="")
    root = write(f"  get: {{cmd: echo got > out/n, deps: ['{url}'], outs: [out/n]}}\n")
    mlops("run", code=0)
    lock = json.loads((root / ".mlops/lock/get.json").read_bytes())
    assert lock["parts"]["inputs"] == {url: "sha256:" + hashlib.sha256(b"1\n").hexdigest()}


def test_what_a_step_before_was_to_make_and_did_not_is_named(write: Any, mlops: Any) -> None:
    root = write(
        "  b: {cmd: c, deps: [out/a/nothing, 'out/a/*.csv'], outs: [out/b]}\n"
        "  c: {cmd: cat out/b, deps: [out/b], outs: [out/c]}\n"
        "  a: {cmd: mkdir out/a, outs: [out/a]}\n"
    )
    result = mlops("run", "--keep-going", code=60)
    assert "step b cannot run: out/a/nothing does not exist" in result.stderr
    assert "out/a/*.csv stands for no file" in result.stderr
    assert (root / ".mlops/lock/a.json").exists()
