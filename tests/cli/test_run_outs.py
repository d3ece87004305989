"""How outputs are kept: cache, persist, push, keep; and plots among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"


@pytest.fixture
def write(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """write(steps): a repository whose pipeline.yaml has these steps."""

    def make(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        (repo / ".gitignore").write_text(IGNORED)
        (repo / "n").write_text("1\n")
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def lock(root: Path, step: str) -> Any:
    return json.loads((root / f".mlops/lock/{step}.json").read_bytes())


def objects(root: Path, digest: str) -> list[Path]:
    return list((root / ".mlops/cache/objects").rglob(digest.removeprefix("sha256:")[2:]))


def did(result: Any) -> dict[str, str]:
    return {step["step"]: step["did"] for step in result.data["steps"] if step["did"]}


def test_an_output_without_cache_has_its_digest_in_the_lock_and_its_bytes_nowhere(
    write: Any, mlops: Any
) -> None:
    step = "  a: {{cmd: head -c 99999 /dev/zero > big, outs: [{{path: big{}}}]}}\n"
    root = write(step.format(", cache: false"))
    mlops("run", code=0)
    made = lock(root, "a")["outputs"]["big"]
    assert made["stored"] is False
    assert not objects(root, made["digest"])
    assert "nothing to do" in mlops("run", code=0).stdout.lower()

    (root / "big").write_text("by hand")
    again = mlops("run", "--json", code=0)
    assert did(again) == {"a": "ran"}  # nobody has it, so it is made again


def test_a_step_goes_on_with_an_output_that_persists(write: Any, mlops: Any) -> None:
    root = write("  a: {cmd: cat n >> all/log, deps: [n], outs: [{path: all, persist: true}]}\n")
    (root / "all").mkdir()
    mlops("run", code=0)
    assert (root / "all/log").read_text() == "1\n"
    (root / "n").write_text("2\n")
    mlops("run", code=0)
    assert (root / "all/log").read_text() == "1\n2\n"
    (root / "n").write_text("1\n")  # a key that was seen, and whose output is another by now
    assert did(mlops("run", "--json", code=0)) == {"a": "ran"}
    assert (root / "all/log").read_text() == "1\n2\n1\n"


def test_an_output_that_persists_is_as_it_was_after_a_failure(write: Any, mlops: Any) -> None:
    root = write(
        "  a: {cmd: 'cat n >> all; test $(cat n) != 2', deps: [n],"
        " outs: [{path: all, persist: true}]}\n"
    )
    mlops("run", code=0)
    (root / "n").write_text("2\n")
    mlops("run", code=60)
    assert (root / "all").read_text() == "1\n"


def test_what_is_said_of_keeping_changes_no_key_and_runs_nothing(write: Any, mlops: Any) -> None:
    root = write("  a: {cmd: date +%N > x, outs: [x]}\n")
    mlops("run", code=0)
    before = lock(root, "a")
    (root / "pipeline.yaml").write_text(
        HEAD + "  a: {cmd: date +%N > x, outs: [{path: x, push: false, keep: 2}]}\n"
    )
    explained = mlops("explain", "a", code=0).stdout
    assert "its output x is kept in another way" in explained
    assert did(mlops("run", "--json", code=0)) == {"a": "restored"}
    after = lock(root, "a")
    assert (after["key"], after["outputs"]["x"]["digest"]) == (
        before["key"],
        before["outputs"]["x"]["digest"],
    )
    assert after["outputs"]["x"]["push"] is False
    assert "Nothing to do" in mlops("run", code=0).stdout


def test_push_leaves_out_what_is_not_to_be_pushed(write: Any, mlops: Any, tmp_path: Path) -> None:
    root = write("  a: {cmd: 'echo 1 > x; echo 2 > y', outs: [{path: x, push: false}, y]}\n")
    mlops("remote", "add", "far", f"file://{tmp_path}/far", code=0)
    mlops("run", code=0)
    mlops("push", code=0)
    (root / "x").unlink()
    (root / "y").unlink()
    import shutil

    shutil.rmtree(root / ".mlops/cache")
    mlops("pull")
    assert (root / "y").exists()
    assert not (root / "x").exists()


def test_gc_needs_no_more_than_the_versions_to_keep(write: Any, mlops: Any) -> None:
    root = write(
        "  a: {cmd: 'head -c 99999 /dev/zero > x; cat n >> x', deps: [n],"
        " outs: [{path: x, keep: 2}]}\n"
    )
    digests = []
    for n in range(1, 5):
        (root / "n").write_text(f"{n}\n")
        mlops("run", code=0)
        digests.append(lock(root, "a")["outputs"]["x"]["digest"])
    gone = mlops("gc", "--grace", "0", "--unpushed", "--json", code=0)
    assert gone.data
    mlops("gc", "--grace", "0", "--unpushed", code=0)
    assert [bool(objects(root, digest)) for digest in digests] == [False, False, True, True]


def test_a_plot_is_an_output_that_the_record_names(write: Any, mlops: Any, git: Any) -> None:
    root = write("  a: {cmd: 'echo 1,2 > curve.csv', plots: [curve.csv]}\n")
    mlops("run", code=0)
    digest = lock(root, "a")["outputs"]["curve.csv"]["digest"]
    ref = git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").split()[0]
    texts = [
        git("show", f"{ref}:{path}") for path in git("ls-tree", "-r", "--name-only", ref).split()
    ]
    (record,) = [one for one in map(json.loads, texts) if one["kind"] == "run"]
    assert record["plots"] == {"curve.csv": digest}


@pytest.mark.parametrize(
    ("outs", "place", "words"),
    [
        ("[{path: x, chace: false}]", "4:32", "did you mean 'cache'"),
        ("[{path: x, keep: 0}]", "4:38", "cannot keep 0 versions"),
        ("[{path: x, cache: false, push: false}]", "4:52", "is in no cache"),
        ("[{path: ../x, keep: 1}]", "4:29", "leaves the project"),
        ("[{keep: 1}]", "4:", "has no 'path'"),
        ("[x], plots: [x/p]", "4:", "lies in the output x"),
    ],
)
def test_words_that_mean_nothing_are_refused_at_their_place(
    write: Any, mlops: Any, outs: str, place: str, words: str
) -> None:
    write(f"  a: {{cmd: c, outs: {outs}}}\n")
    result = mlops("run", code=10)
    assert f"pipeline.yaml:{place}" in result.stderr
    assert words in result.stderr


def test_params_are_read_from_yaml_json_and_toml(write: Any, mlops: Any) -> None:
    root = write("  a: {cmd: echo 1 > x, outs: [x], params: [p.yaml:a, p.json:b, p.toml:t.c]}\n")
    (root / "p.yaml").write_text("a: 1\n")
    (root / "p.json").write_text('{"b": 2}')
    (root / "p.toml").write_text("[t]\nc = 3\nd = 2024-01-01\n")
    mlops("run", code=0)
    assert lock(root, "a")["parts"]["params"] == {"p.yaml:a": 1, "p.json:b": 2, "p.toml:t.c": 3}
    (root / "p.toml").write_text("[t]\nc = 4\n")
    assert "param t.c 3 → 4" in mlops("explain", "a", code=0).stdout
    (root / "p.toml").write_text("[t]\nc = = 4\n")
    assert "p.toml:2:5" in mlops("run", code=10).stderr
    (root / "p.toml").write_text("[t]\nd = 4\n")
    assert "p.toml has no 't.c'" in mlops("run", code=10).stderr
