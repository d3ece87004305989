"""What a training may not say in pipeline.yaml, and where it says it."""

from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.reading.load import load

TEXT = """\
version: 1
project: {name: p}
data: {d: {path: data, key: id, time: at, label: {column: late, known_at: known}}}
train:
  t:
    dataset:
      spine: data.d
      columns: [a]
      split: {by: time}
    code: src/train.py:train
    backend: {kind: local}
models: {m: {from: train.t}}
"""


def loaded(root: Path, text: str) -> object:
    (root / "pipeline.yaml").write_text(text)
    return load(root)


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("    code: src/train.py:train\n", "", "wrong-value", "exactly one of code, cmd"),
        ("train.py:train\n", "train.py:train\n    cmd: x\n", "wrong-value", "exactly one of"),
        ("train.py:train\n", "train.py\n", "wrong-value", "which function"),
        ("train.py:train\n", "train.py:train\n    network: n.py:n\n", "wrong-value", "with cmd"),
        ("kind: local", "kind: local, workers: 2", "wrong-value", "one worker"),
        ("kind: local", "kind: torchrun, workers: 0", "wrong-value", "one worker at least"),
        ("kind: local", "kind: slurm", "wrong-value", "must be one of local, torchrun"),
        ("by: time", "by: strata", "missing-key", "needs strata"),
        ("by: time", "by: group", "missing-key", "needs group"),
        ("by: time}", "by: time}\n      waive: {late-lable: x}", "unknown-reference", "late-lable"),
        (
            "by: time}",
            "by: time}\n      waive: {late-label: ''}",
            "wrong-value",
            "without a reason",
        ),
        ("    backend:", "    incremental: true\n    backend:", "missing-key", "warm_start"),
        ("    backend:", "    export: {prune: 100%}\n    backend:", "wrong-value", "share"),
        ("    backend:", "    export: {quantize: int4}\n    backend:", "wrong-value", "int8"),
        ("src/train.py", "../train.py", "path-outside-project", "leaves the project"),
    ],
)
def test_what_no_training_can_mean_is_refused_in_its_place(
    tmp_path: Path, old: str, new: str, code: str, words: str
) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, TEXT.replace(old, new))
    assert caught.value.code == code and words in caught.value.message + str(caught.value.hint)
    assert caught.value.message.startswith("pipeline.yaml:")


def test_a_warm_start_is_a_step_and_an_input_of_the_training(tmp_path: Path) -> None:
    cold = of_pipeline(loaded(tmp_path, TEXT))  # type: ignore[arg-type]
    assert "parent.t" not in cold.steps
    text = TEXT.replace("    backend", "    warm_start: previous\n    backend")
    warm = of_pipeline(loaded(tmp_path, text))  # type: ignore[arg-type]
    assert warm.steps["parent.t"].deps == ("out/t/dataset",)
    assert "out/t/parent" in warm.steps["train.t"].deps
    assert warm.steps["parent.t"].config["models"] == ["m"]


def test_the_scripts_of_a_command_are_part_of_its_key(tmp_path: Path) -> None:
    text = TEXT.replace("code: src/train.py:train", "cmd: python src/fit.py --fast\n    deps: [w]")
    step = of_pipeline(loaded(tmp_path, text)).steps["train.t"]  # type: ignore[arg-type]
    assert step.code == ("src/fit.py",) and step.deps == ("out/t/dataset", "w")
