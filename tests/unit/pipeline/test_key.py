"""What is in a key, and what is not: code without its comments, params by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.keys.code import changed, closure
from mlops_cli.pipeline.keys.environment import environment
from mlops_cli.pipeline.keys.key import Key, key
from mlops_cli.pipeline.keys.lockfile import normalised
from mlops_cli.pipeline.keys.params import flat, merged, read_params
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.words.interpolate import interpolate, references

FEATURES = "import helper\n\n\ndef weather(table):\n    return helper.one(table)\n"


def made(step: Step, **parts: Any) -> Key:
    given: dict[str, Any] = {
        "inputs": {},
        "params": {},
        "code": {},
        "environment": {"python": "3.11"},
        "variables": {},
    }
    return key(step, **(given | parts))


def test_the_key_of_a_step_is_the_same_on_every_machine() -> None:
    step = Step("a", "command", cmd=("echo hi",), outs=("out/a",))
    assert made(step).digest == (
        "sha256:539aec8082c10d1f0458ca473d9226d035834af77dc4cac8d4989385d5c31023"
    )


def test_the_name_of_a_step_is_not_in_its_key() -> None:
    one = Step("a", "command", cmd=("echo hi",), outs=("out/a",), owner="me")
    two = Step("b", "command", cmd=("echo hi",), outs=("out/a",))
    assert made(one) == made(two)


def test_comments_and_formatting_do_not_change_the_code(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(FEATURES)
    before = closure(tmp_path, ["f.py"])
    (tmp_path / "f.py").write_text(
        "# why\nimport helper\ndef weather( table ):  # what\n"
        "\n    return (\n        helper.one(table))\n"
    )
    assert closure(tmp_path, ["f.py"]) == before


def test_a_change_names_the_function(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(FEATURES + "\n\nclass Other: ...\n")
    before = closure(tmp_path, ["f.py"])["f.py"]
    (tmp_path / "f.py").write_text(FEATURES.replace("one", "two") + "\n\nclass Other: ...\n")
    after = closure(tmp_path, ["f.py"])["f.py"]
    assert changed(before, after) == "function weather"
    assert changed(before, None) is None


def test_a_changed_constant_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("LIMIT = 3\nother: int = 2\nprint(LIMIT)\n")
    before = closure(tmp_path, ["f.py"])["f.py"]
    (tmp_path / "f.py").write_text("LIMIT = 4\nother: int = 2\nprint(LIMIT)\n")
    assert changed(before, closure(tmp_path, ["f.py"])["f.py"]) == "LIMIT"
    (tmp_path / "f.py").write_text("LIMIT = 3\nother: int = 2\nprint(LIMIT + 1)\n")
    assert changed(before, closure(tmp_path, ["f.py"])["f.py"]) == "the top level"


def test_imports_inside_the_project_are_followed(tmp_path: Path) -> None:
    (tmp_path / "src" / "package").mkdir(parents=True)
    (tmp_path / "src" / "train.py").write_text(
        "import os\nimport numpy\nimport helper\n"
        "from package import part\nfrom package.deep import x\n"
    )
    (tmp_path / "src" / "helper.py").write_text("def one(): from package import late\n")
    (tmp_path / "src" / "package" / "__init__.py").write_text("")
    (tmp_path / "src" / "package" / "part.py").write_text("from . import late\n")
    (tmp_path / "src" / "package" / "late.py").write_text("import src.helper\n")
    (tmp_path / "src" / "package" / "deep.py").write_text("x = 1\n")
    assert list(closure(tmp_path, ["src/train.py"])) == [
        "src/helper.py",
        "src/package/__init__.py",
        "src/package/deep.py",
        "src/package/late.py",
        "src/package/part.py",
        "src/train.py",
    ]


def test_code_that_cannot_be_parsed_counts_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def (:\n")
    before = closure(tmp_path, ["f.py"])
    (tmp_path / "f.py").write_text("def (: #\n")
    assert closure(tmp_path, ["f.py"]) != before


def test_a_missing_file_of_code_stands_with_none(tmp_path: Path) -> None:
    assert closure(tmp_path, ["gone.py"]) == {"gone.py": None}


def test_the_lock_file_of_the_environment_is_read_without_comments_and_order() -> None:
    one = "# made by pip\nnumpy==2.0 \\\n    --hash=sha256:aa\n\ntorch==2.13  # cpu\n"
    two = "torch==2.13\nnumpy==2.0 --hash=sha256:aa\n"
    assert normalised(one, requirements=True) == normalised(two, requirements=True)
    other = two.replace("2.13", "2.12")
    assert normalised(other, requirements=True) != normalised(two, requirements=True)


def test_a_missing_lock_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        environment(tmp_path, {"lock": "uv.lock"}, python=(3, 11))
    assert "uv.lock" in caught.value.message


def test_params_are_read_by_their_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train: {lr: 1e-3, layers: [8, 4], opt: {name: adam}}\n")
    found = read_params(tmp_path, ["params.yaml:train", "params.yaml:train.opt"])
    assert found["params.yaml:train"]["lr"] == 0.001
    assert flat("params.yaml:train", found["params.yaml:train"]) == {
        "train.lr": 0.001,
        "train.layers": [8, 4],
        "train.opt.name": "adam",
    }
    assert merged(found, ["params.yaml:train.opt", "params.yaml:train"])["name"] == "adam"


def test_an_unknown_param_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train: {lr: 1, layers: 2}\n")
    with pytest.raises(ConfigError) as caught:
        read_params(tmp_path, ["params.yaml:train.layer"])
    assert (caught.value.code, caught.value.hint) == ("unknown-reference", "did you mean 'layers'?")


def test_a_params_file_outside_the_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_params(tmp_path, ["../params.yaml"])
    assert caught.value.code == "path-outside-project"


def test_params_in_a_command_are_quoted_and_the_shell_keeps_its_own() -> None:
    line = "echo ${params.word} ${HOME} $(date)"
    assert references(line) == ("params.yaml:word",)
    given = {"params.yaml:word": "a b; rm -rf /"}
    assert interpolate(line, given) == "echo 'a b; rm -rf /' ${HOME} $(date)"
    with pytest.raises(ConfigError):
        interpolate(line, {"params.yaml:word": [1, 2]})
