"""dvc.yaml means here what it means to DVC: loops, names, params, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_cli.integrations.dvc import lock, text
from mlops_cli.integrations.dvc.lower import Lowered, lower
from mlops_cli.integrations.dvc.outs import Refused
from mlops_cli.integrations.dvc.stages import Stage, read_stages


def read(root: Path, written: str, file: str = "dvc.yaml") -> dict[str, Stage]:
    """Return the stages by name; a stage that is refused fails the test."""
    found = list(read_stages(root, file, text.parse(written.encode(), name=file)))
    assert not [one.why for one in found if isinstance(one, Refused)]
    return {one.name: one for one in found if isinstance(one, Stage)}


def refusal(root: Path, written: str) -> str:
    (one,) = read_stages(root, "dvc.yaml", text.parse(written.encode(), name="dvc.yaml"))
    assert isinstance(one, Refused)
    return one.why


def lowered(root: Path, written: str) -> Lowered:
    (one,) = lower(root, read(root, written).values(), set())
    assert isinstance(one, Lowered)
    return one


def test_a_value_takes_its_place_whatever_its_kind(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: {b: [x, {c: 1e-3}]}\nyes: true\nnone: null\n")
    stages = read(
        tmp_path, "stages: {s: {cmd: 'run ${a.b[1].c} ${a.b[0]} ${yes} ${none} \\${HOME}'}}"
    )
    assert stages["s"].cmd == ("run 0.001 x true None ${HOME}",)


def test_a_mapping_in_a_command_becomes_options(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        "t: {lr: 0.1, deep: {n: 3}, on: true, off: false, name: 'a b', xs: [1, two]}\n"
    )
    stages = read(tmp_path, "stages: {s: {cmd: 'run ${t}'}}")
    assert stages["s"].cmd == ("run --lr 0.1 --deep.n 3 --on --name 'a b' --xs 1 two",)


@pytest.mark.parametrize(
    ("data", "names", "lines"),
    [
        ("[a, 1, true]", ["s@a", "s@1", "s@true"], ["a", "1", "true"]),
        ("[{n: x}, {n: y}]", ["s@0", "s@1"], ["x", "y"]),
        ("{k: {n: x}, l: {n: y}}", ["s@k", "s@l"], ["x", "y"]),
        ("${from.there}", ["s@p", "s@q"], ["p", "q"]),
    ],
)
def test_foreach_is_unrolled(data: str, names: list[str], lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("from: {there: [p, q]}\n")
    item = "${item.n}" if "n:" in data else "${item}"
    written = f"stages: {{s: {{foreach: {data}, do: {{cmd: 'echo {item}', outs: ['o-{item}']}}}}}}"
    stages = read(tmp_path, written.replace("${from.there}", "'${from.there}'"))
    assert list(stages) == names
    assert [stage.cmd[0] for stage in stages.values()] == [f"echo {line}" for line in lines]
    assert [stage.outs[0].path for stage in stages.values()] == [f"o-{line}" for line in lines]


def test_a_matrix_is_unrolled_in_the_order_of_its_axes(tmp_path: Path) -> None:
    written = "stages: {s: {matrix: {m: [x, y], d: [{n: 1}, {n: 2}]}, cmd: '${key} ${item.d.n}'}}"
    stages = read(tmp_path, written)
    assert list(stages) == ["s@x-d0", "s@x-d1", "s@y-d0", "s@y-d1"]
    assert stages["s@y-d1"].cmd == ("y-d1 2",)


def test_vars_come_from_files_keys_and_the_stage_itself(tmp_path: Path) -> None:
    (tmp_path / "conf.json").write_text('{"a": 1, "b": 2}')
    (tmp_path / "more.toml").write_text("[deep]\nx = 3\n")
    stages = read(
        tmp_path,
        "vars: ['conf.json:a', more.toml, {own: {y: 4}}]\n"
        "stages: {s: {vars: [{own: {z: 5}}], cmd: '${a} ${deep.x} ${own.y} ${own.z}'}}",
    )
    assert stages["s"].cmd == ("1 3 4 5",)


def test_names_of_a_stage_do_not_leak_into_the_next(tmp_path: Path) -> None:
    written = "vars: [{o: {a: 1}}]\nstages: {s: {vars: [{o: {b: 2}}], cmd: x}, t: {cmd: '${o.b}'}}"
    found = list(read_stages(tmp_path, "dvc.yaml", text.parse(written.encode(), name="dvc.yaml")))
    assert isinstance(found[0], Stage) and isinstance(found[1], Refused)


def test_a_value_that_looks_like_a_name_is_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: '${b}'\nb: '${a}'\n")
    assert read(tmp_path, "stages: {s: {cmd: 'echo ${a}'}}")["s"].cmd == ("echo ${b}",)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("stages: {s: {cmd: 'echo ${nobody}'}}", "is not known"),
        ("stages: {s: {cmd: 'echo ${a b..}'}}", "is no name"),
        ("stages: {s: {deps: [x]}}", "no command"),
        ("stages: {s: {cmd: x, outs: [../x]}}", "outside"),
        ("stages: {s: {cmd: x, wdir: ../..}}", "outside"),
        ("vars: ['gone.yaml']\nstages: {s: {cmd: x}}", "gone.yaml"),
        ("vars: [{a: 1}, {a: 2}]\nstages: {s: {cmd: x}}", "twice"),
        ("stages: {s: {foreach: 3, do: {cmd: x}}}", "foreach"),
        ("stages: {s: {cmd: 'echo ${list}', vars: [{list: [1]}]}}", "not one value"),
    ],
)
def test_what_cannot_be_resolved_is_refused(written: str, why: str, tmp_path: Path) -> None:
    assert why in refusal(tmp_path, written)


def test_paths_are_those_of_the_folder_in_which_the_stage_works(tmp_path: Path) -> None:
    written = "stages: {s: {cmd: x, wdir: w, deps: [../a, b], outs: [{c: {persist: true}}]}}"
    stage = read(tmp_path, written, file="sub/dvc.yaml")["s"]
    (one,) = lower(tmp_path, [stage], set())
    assert isinstance(one, Lowered)
    assert (one.name, one.definition["wdir"]) == ("sub_s", "sub/w")
    assert one.definition["deps"] == ["sub/a", "sub/w/b"]
    assert one.definition["outs"] == ["sub/w/c"]
    assert "persist" in one.notes[0]


def test_params_keep_their_names_and_commands_their_references(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("lr: 0.1\nname: two words\ntrain: {n: [1]}\n")
    one = lowered(
        tmp_path,
        "stages: {s: {cmd: 'fit ${lr} ${name} ${train.n[0]}', params: [lr, 'train.n.0',"
        " {params.yaml: [train]}, {conf.toml: [x]}, {whole.yaml: }]}}",
    )
    # what mlops would quote, or find by another path, is written out
    assert one.definition["cmd"] == "fit ${params.lr} two words 1"
    assert one.definition["params"] == ["params.yaml:train", "whole.yaml"]
    assert sorted(one.definition["deps"]) == ["conf.toml", "params.yaml"]


def test_a_dep_elsewhere_is_left_out_and_said(tmp_path: Path) -> None:
    one = lowered(tmp_path, "stages: {s: {cmd: x, deps: ['s3://b/k', /abs, in]}}")
    assert one.definition["deps"] == ["in"]
    assert len(one.notes) == 2


def test_names_that_do_not_fit_are_made_to_and_stay_apart(tmp_path: Path) -> None:
    stages = read(tmp_path, "stages: {a: {foreach: ['x.y', 'x/y'], do: {cmd: x}}}")
    names = [one.name for one in lower(tmp_path, stages.values(), set())]
    assert names == ["a_x_y", "a_x_y_2"]


@pytest.mark.parametrize(
    "written",
    [
        "s: {cmd: x, deps: [{path: a, md5: abc}], outs: []}",
        "schema: '1.0'\ns: {cmd: [x], deps: [{path: a, md5: abc}]}",
        "schema: '2.0'\nstages: {s: {cmd: x, deps: [{path: a, md5: abc}]}}",
    ],
)
def test_all_schemas_of_locks_are_read(written: str) -> None:
    found = lock.read_lock(text.parse(written.encode(), name="dvc.lock"), name="dvc.lock")
    assert list(found) == ["s"]
    assert (found["s"].cmd, found["s"].deps["a"]["md5"]) == (("x",), "abc")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001), ("1e3", 1000.0), ("0o17", 15), ("017", 17), ("0x1F", 31), ("1_000", 1000),
        ("yes", "yes"), ("on", "on"), ("true", True), ("~", None), ("'1'", "1"), ("1.", 1.0),
        ("2020-01-01", "2020-01-01"), ("-.5", -0.5), ("1:30", "1:30"),
    ],
)  # fmt: skip
def test_words_of_yaml_mean_what_they_mean_to_dvc(word: str, value: Any) -> None:
    found = text.parse(f"a: {word}".encode(), name="x")["a"]
    assert (found, type(found)) == (value, type(value))
    again = text.parse(text.dump({"a": found}).encode(), name="x")["a"]
    assert (again, type(again)) == (found, type(found))
