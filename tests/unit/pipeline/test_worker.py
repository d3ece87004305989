"""A domain step in its child process: what it is given, and what its answer becomes."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_cli import plugins
from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.pipeline.attempts import worker
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step


class Kind:
    """A kind of step that does what its config says."""

    def run(self, step: Step, context: RunContext) -> Outcome:
        if step.config.get("raise") == "mlops":
            raise MissingExtra.of("duckdb", "features")
        if step.config.get("raise") == "python":
            raise ValueError("a matrix is not square")
        for path in context.outs.values():
            path.write_text(json.dumps([dict(context.params), context.seed]))
        return Outcome({"nan": float("nan"), "rows": 3.0}, {"watermark": "2013-01-01"})


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Iterator[Step]:
    module = types.ModuleType("kinds_of_a_test")
    module.Kind = Kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kinds_of_a_test", module)
    monkeypatch.setitem(plugins.STEPS, "test", "kinds_of_a_test:Kind")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield Step("test.a", "test", outs=("out/a",), config={})


def answer(step: Step, folder: Path, **config: Any) -> Any:
    from dataclasses import replace

    request = folder / "request.json"
    worker.write_request(
        request,
        replace(step, config=config),
        root=folder,
        outs={"out/a": folder / "a"},
        params={"lr": 0.1},
        seed=7,
    )
    worker.main([str(request), str(folder / "answer.json")])
    return worker.read_answer(folder / "answer.json")


def test_a_step_writes_scratch_and_answers_plain_numbers(step: Step, tmp_path: Path) -> None:
    told = answer(step, tmp_path)
    assert (told.metrics, told.facts) == ({"rows": 3.0}, {"watermark": "2013-01-01"})
    assert told.found["seed"] == 7
    assert told.found["loaded"]["pytest"] == pytest.__version__
    assert (tmp_path / "a").read_text() == '[{"lr": 0.1}, 7]'


def test_an_error_keeps_its_class_code_and_hint(
    step: Step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = answer(step, tmp_path, **{"raise": "mlops"})
    assert isinstance(error, MissingExtra)
    assert (error.code, error.hint) == ("missing-extra", "pip install 'mlops-cli[features]'")
    assert "duckdb is not installed" in capsys.readouterr().err


def test_an_exception_of_user_code_is_a_failed_step_with_its_words(
    step: Step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = answer(step, tmp_path, **{"raise": "python"})
    assert isinstance(error, StepFailed)
    assert error.message == "ValueError: a matrix is not square"
    assert "Traceback" in capsys.readouterr().err


def test_a_child_that_died_without_a_word_answers_nothing(tmp_path: Path) -> None:
    assert worker.read_answer(tmp_path / "answer.json") is None
    (tmp_path / "answer.json").write_text('{"metr')
    assert worker.read_answer(tmp_path / "answer.json") is None
