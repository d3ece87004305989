"""Code of the user's: found, imported, called; what it raises becomes one sentence."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, MlopsError, NotFound, StepFailed


@dataclass(frozen=True, slots=True)
class Code:
    """`function`, which a person knows as `where`; `failed` is the code of what it raises."""

    function: Callable[..., Any]
    where: str
    failed: str
    file: Path | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function answers.

        Raises StepFailed: the message names the last line of `file` on the way; `details` holds
        the whole traceback.
        """
        try:
            return self.function(*arguments)
        except MlopsError:
            raise
        except Exception as exc:
            frames = traceback.extract_tb(exc.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(self.file)]
            if isinstance(exc, SyntaxError) and exc.filename == str(self.file):
                lines = [exc.lineno]
            at = f"{self.where}:{lines[-1]}" if lines else self.where
            raise StepFailed(
                f"{at}: {type(exc).__name__}: {exc}",
                code=self.failed,
                hint="correct the code and run the same command again",
                details={"traceback": traceback.format_exc()},
            ) from exc


def load(root: Path, reference: str, *, key: str, failed: str) -> Code:
    """Return the function that "src/train.py:train" names; its folder, `root` and its src are
    importable from then on. `key` is what names it in pipeline.yaml, `failed` as of Code.

    Raises NotFound ("code-missing"), ConfigError ("function-missing"), StepFailed.
    """
    where, _, name = reference.partition(":")
    file = fsio.inside(root, where)
    if not file.is_file():
        raise NotFound(
            f"there is no file {where}",
            code="code-missing",
            hint=f"correct `{key}` in pipeline.yaml, or write the file",
        )
    sys.path[:0] = [str(file.parent), str(root), str(root / "src")]
    sys.dont_write_bytecode = True  # no __pycache__ in the project for a step that ran once
    spec = importlib.util.spec_from_file_location(f"mlops_{key}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses of the user look themselves up here
    Code(spec.loader.exec_module, where, failed, file)(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(
            f"{where} has no function {name!r}",
            code="function-missing",
            hint=f"correct `{key}: FILE.py:FUNCTION` in pipeline.yaml",
            details={"reference": reference},
        )
    return Code(function, where, failed, file)


@contextlib.contextmanager
def forgotten(root: Path) -> Iterator[None]:
    """Forget after the block what it imported from `root`: the next `load` sees every edit."""
    before, paths, writes = set(sys.modules), list(sys.path), sys.dont_write_bytecode
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = paths, writes
        for added in set(sys.modules) - before:
            origin = getattr(sys.modules[added], "__file__", None)
            if origin is not None and Path(origin).is_relative_to(root):
                del sys.modules[added]
