"""One entry that stands for many steps: `for`, and what may be put into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"
TRAIN = """\
  train:
    for: {lr: [0.1, 0.01], depth: [3, 5]}
    cmd: echo ${item.lr} ${item.depth} ${params.seed} > out/m/${item.lr}-${item.depth}
    outs: ['out/m/${item.lr}-${item.depth}']
  best: {cmd: cat out/m/* > out/best, deps: [steps.train], outs: [out/best]}
"""


@pytest.fixture
def write(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """write(steps): a repository whose pipeline.yaml has these steps."""

    def make(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        (repo / "params.yaml").write_text("seed: 1\nregions: [north, south east]\n")
        (repo / ".gitignore").write_text(IGNORED)
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def graph(root: Path, steps: str, **files: str) -> Graph:
    (root / "pipeline.yaml").write_text(HEAD + steps)
    for name, text in files.items():
        (root / f"{name}.yaml").write_text(text)
    return open_graph(root)


def did(result: Any) -> dict[str, str]:
    return {step["step"]: step["did"] for step in result.data["steps"] if step["did"]}


def test_a_matrix_is_a_step_for_each_combination(write: Any, mlops: Any) -> None:
    root = write(TRAIN)
    made = did(mlops("run", "train", "--json", code=0))
    assert sorted(made) == [
        "train@lr=0.01,depth=3",
        "train@lr=0.01,depth=5",
        "train@lr=0.1,depth=3",
        "train@lr=0.1,depth=5",
    ]
    assert (root / ".mlops/lock/train@lr=0.1,depth=3.json").exists()
    assert (root / "out/m/0.01-5").read_text() == "0.01 5 1\n"
    assert list(did(mlops("run", "--json", code=0))) == ["best"]
    (root / "pipeline.yaml").write_text(HEAD + TRAIN.replace("[3, 5]", "[3, 7]"))
    assert sorted(did(mlops("run", "--json", code=0))) == [
        "best",
        "train@lr=0.01,depth=7",
        "train@lr=0.1,depth=7",
    ]
    assert "Nothing to do" in mlops("run", code=0).stdout


def test_the_steps_of_an_entry_are_drawn_together(write: Any, mlops: Any) -> None:
    write(TRAIN)
    shown = mlops("dag", code=0).stdout
    assert "train@ (4 steps)" in shown
    assert shown.count("train@") == 2  # the line itself, and what comes before best
    data = mlops("dag", "--json", code=0).data
    assert [step["group"] for step in data["steps"]] == ["train"] * 4 + [None]


def test_a_zip_goes_row_by_row_and_a_list_item_by_item(tmp_path: Path) -> None:
    found = graph(
        tmp_path,
        "  a: {for: {zip: {x: [1, 2], y: [p, q]}}, cmd: 'c ${item.x}${item.y}'}\n"
        "  b: {for: [one, two], cmd: 'c ${item}', env: {WHICH: '${item}'}}\n"
        "  c: {for: [{x: 1}, {x: 2}], cmd: 'c ${item.x}', outs: [{path: 'o/${item.x}',"
        " keep: 1}]}\n",
    )
    assert list(found.steps) == [
        "a@x=1,y=p", "a@x=2,y=q", "b@one", "b@two", "c@x=1", "c@x=2",
    ]  # fmt: skip
    assert found.steps["a@x=2,y=q"].cmd == ("c 2q",)
    assert found.steps["b@two"].env == {"WHICH": "two"}
    assert found.steps["c@x=2"].keeping == {"o/2": {"keep": 1}}


def test_a_list_from_params_makes_the_graph_again_when_it_changes(write: Any, mlops: Any) -> None:
    root = write(
        "  r: {for: '${params.yaml:regions}', cmd: 'echo ${item} > out/${item}',"
        " outs: ['out/${item}']}\n"
    )
    made = did(mlops("run", "--json", code=0))
    assert made.keys() == {
        "r@north",
        next(name for name in made if name.startswith("r@south_east~")),
    }
    assert (root / "out/south east").read_text() == "south east\n"
    (root / "params.yaml").write_text("seed: 1\nregions: [north, west]\n")
    assert list(did(mlops("run", "--json", code=0))) == ["r@west"]


def test_what_an_item_says_is_one_word_of_the_command(write: Any, mlops: Any) -> None:
    root = write(
        "  x: {for: ['a; touch hacked', '$(touch hacked)'], cmd: 'echo ${item} >> out/${item}',"
        " outs: ['out/${item}']}\n"
    )
    mlops("run", code=0)
    assert not (root / "hacked").exists()


@pytest.mark.parametrize(
    ("step", "place", "words"),
    [
        ("{for: 3, cmd: c}", "4:12", "must be a list"),
        ("{for: [], cmd: c}", "4:12", "has no items"),
        ("{for: {a: 1}, cmd: c}", "4:16", "for.a is 1"),
        ("{for: [[1]], cmd: c}", "4:13", "is a list"),
        ("{for: [1, 1], cmd: c}", "4:16", "two items"),
        ("{for: {zip: {a: [1], b: [1, 2]}}, cmd: c}", "4:18", "a 1, b 2"),
        ("{for: [1], cmd: 'c ${item.lr}'}", "4:22", "${item.lr} does not exist"),
        ("{for: {lr: [1]}, cmd: 'c ${item.rl}'}", "4:28", "known: lr"),
        ("{for: {lr: [1]}, cmd: 'c ${item}'}", "4:28", "several values"),
        ("{for: [1], cmd: c, owner: '${item}'}", "4:32", "owner takes no ${item}"),
        ("{for: [../x], cmd: c, outs: ['out/../${item}']}", "4:35", "leaves the project"),
        ("{for: '${params.yaml:rgions}', cmd: c}", "4:12", "did you mean 'regions'"),
        ("{for: '${nothing.yaml:x}', cmd: c}", "4:12", "there is no nothing.yaml"),
        ("{for: [1, 2], cmd: c, outs: [x]}", "4:35", "makes it too"),
    ],
)
def test_what_is_wrong_with_a_for_is_refused_at_its_place(
    write: Any, mlops: Any, step: str, place: str, words: str
) -> None:
    write(f"  a: {step}\n")
    result = mlops("run")
    assert result.code in (10, 20)
    assert words in result.stderr
    assert f"pipeline.yaml:{place}" in result.stderr


def test_a_name_cannot_be_that_of_an_item(write: Any, mlops: Any) -> None:
    write("  a@b: {cmd: c}\n")
    assert "'a@b' cannot be a name" in mlops("run", code=10).stderr


def test_the_steps_of_a_file_are_taken_under_a_name_with_values(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/region.yaml").write_text(
        "with: {region: null, rows: 10}\n"
        "steps:\n"
        "  clean: {cmd: 'clean ${with.region} ${with.rows}', outs: ['out/${with.region}/c']}\n"
        "  count: {for: [1, 2], cmd: wc, deps: [steps.clean], "
        "outs: ['out/${with.region}/${item}']}\n"
    )
    found = graph(
        tmp_path,
        "  all: {cmd: c, deps: [steps.north-count], outs: [out/all]}\n"
        "include:\n"
        "- {file: lib/region.yaml, as: north, with: {region: n th}}\n"
        "- {file: lib/region.yaml, as: south, with: {region: s, rows: 3}}\n",
    )
    assert found.steps["north-clean"].cmd == ("clean 'n th' 10",)
    assert found.steps["south-clean"].cmd == ("clean s 3",)
    assert found.before["south-count@2"] == ("south-clean",)
    assert found.before["all"] == ("north-count@1", "north-count@2")


def test_an_edit_of_an_included_file_is_seen(write: Any, mlops: Any) -> None:
    root = write("  a: {cmd: echo 1 > out/a, outs: [out/a]}\ninclude: {file: more.yaml}\n")
    (root / "more.yaml").write_text("steps: {b: {cmd: echo 1 > out/b, outs: [out/b]}}\n")
    assert list(did(mlops("run", "--json", code=0))) == ["a", "b"]
    (root / "more.yaml").write_text("steps: {b: {cmd: echo 2 > out/b, outs: [out/b]}}\n")
    assert list(did(mlops("run", "--json", code=0))) == ["b"]
    (root / "more.yaml").write_text("steps:\n  b: {cdm: x}\n")
    assert "more.yaml:2:7: unknown key 'cdm'" in mlops("run", code=10).stderr


@pytest.mark.parametrize(
    ("include", "more", "words"),
    [
        ("{file: ../x.yaml}", "", "pipeline.yaml:5:17: the path '../x.yaml' leaves the project"),
        ("{file: /etc/passwd}", "", "leaves the project"),
        ("{file: none.yaml}", "", "pipeline.yaml:5:17: there is no none.yaml"),
        ("{flie: m.yaml}", "", "did you mean 'file'"),
        ("{file: m.yaml, with: {x: 1}}", "steps: {}", "pipeline.yaml:5:32: m.yaml takes no 'x'"),
        ("{file: m.yaml}", "with: {x: null}", "needs a value for 'x'"),
        (
            "{file: m.yaml}",
            "steps: {b: {cmd: '${with.y}'}}",
            "m.yaml:1:18: ${with.y} does not exist",
        ),
        ("{file: m.yaml}", "steps: {a: {cmd: c}}", "m.yaml has a step a, and pipeline.yaml:4:3"),
        ("{file: m.yaml}", "train: {}", "m.yaml:1:1: an included file cannot have 'train'"),
        (
            "{file: m.yaml}",
            "include: {file: m.yaml}",
            "m.yaml:1:17: pipeline.yaml → m.yaml → m.yaml",
        ),
        ("{file: m.yaml}", "steps: {b: {cmd: c, deps: [steps.c]}}", "m.yaml:1:28"),
        ("{file: m.yaml}", "steps: [", "m.yaml:2:1: not valid YAML"),
    ],
)
def test_what_is_wrong_with_an_include_is_refused_at_its_place(
    write: Any, mlops: Any, include: str, more: str, words: str
) -> None:
    root = write(f"  a: {{cmd: c}}\ninclude: {include}\n")
    if more:
        (root / "m.yaml").write_text(more)
    result = mlops("run")
    assert result.code in (10, 20)
    assert words in result.stderr


def test_the_lock_of_an_item_says_its_command_in_full(write: Any, mlops: Any) -> None:
    root = write("  x: {for: [a b], cmd: 'echo ${item} > out/x', outs: [out/x]}\n")
    mlops("run", code=0)
    (lock,) = (root / ".mlops/lock").iterdir()
    assert json.loads(lock.read_bytes())["parts"]["cmd"] == ["echo 'a b' > out/x"]
