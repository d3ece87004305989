"""The user's training function: found, imported, called; what it raises becomes one sentence."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, MlopsError, NotFound, StepFailed


def load(root: Path, reference: str) -> Callable[..., Any]:
    """Return the function that "src/train.py:train" names; its folder and `root` are importable.

    Raises NotFound ("code-missing"), ConfigError ("function-missing"), StepFailed.
    """
    where, _, name = reference.partition(":")
    path = fsio.inside(root, where)
    if not path.is_file():
        raise NotFound(
            f"there is no file {where}",
            code="code-missing",
            hint="correct `code` in pipeline.yaml, or write the file",
        )
    sys.path[:0] = [str(path.parent), str(root)]
    sys.dont_write_bytecode = True  # no __pycache__ in the project for a step that ran once
    spec = importlib.util.spec_from_file_location("mlops_train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mlops_train"] = module  # dataclasses of the user look themselves up here
    call(spec.loader.exec_module, module, file=path, where=where)
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(
            f"{where} has no function {name!r}",
            code="function-missing",
            hint="correct `code: FILE.py:FUNCTION` in pipeline.yaml",
        )
    return function  # type: ignore[no-any-return]


def call(function: Callable[..., Any], *arguments: Any, file: Path, where: str) -> Any:
    """Return what `function` answers; what it raises becomes StepFailed ("training-failed").

    The message names the last line of `file` on the way; `details` holds the whole traceback.
    """
    try:
        return function(*arguments)
    except MlopsError:
        raise
    except Exception as exc:
        frames = traceback.extract_tb(exc.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file)]
        if isinstance(exc, SyntaxError) and exc.filename == str(file):
            lines = [exc.lineno]
        at = f"{where}:{lines[-1]}" if lines else where
        raise StepFailed(
            f"{at}: {type(exc).__name__}: {exc}",
            code="training-failed",
            hint="correct the code and run the same command again",
            details={"traceback": traceback.format_exc()},
        ) from exc
