"""The command as tests call it: `mlops` in this process, `mlops_process` in one of its own.

Both are given the same words, folder, environment and standard input and tell what a user would
have seen. To start an interpreter costs ten times what most commands do, so `mlops` calls what
`__main__` calls. `mlops_process` is for what only a process has: start-up, signals, pipes, its
children after its death. tests/e2e calls every command that way.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from mlops_cli.cli import context, main
from mlops_cli.cli.render import text

# of standard input, output and error; as the interpreter opens them
_MODES = (("r", "strict"), ("w", "strict"), ("w", "backslashreplace"))


@dataclass(frozen=True)
class Result:
    """What a user of the command saw."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)

    @property
    def data(self) -> Any:
        """What the command answered under --json; fails with the error it gave instead."""
        document = self.json
        assert document["ok"], document
        return document["data"]

    @property
    def error(self) -> Any:
        """The error under --json: code, message, hint, exit_code, details."""
        document = self.json
        assert not document["ok"], document
        return document["error"]


@pytest.fixture(scope="session")
def console_script() -> str:
    """The installed `mlops`."""
    beside = Path(sys.executable).with_name("mlops")
    found = str(beside) if beside.exists() else shutil.which("mlops")
    assert found, "mlops is not installed: pip install -e '.[dev]'"
    return found


@pytest.fixture
def mlops(environment: dict[str, str], request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Do what the command does, in this process: mlops("status", "--json", cwd=repo).

    Without `cwd` it runs in the repository of the `repo` fixture where the test uses it.
    `code=0` asserts the exit code; None takes any.
    """

    def run(
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        code: int | None = None,
    ) -> Result:
        result = here(arguments, cwd or _place(request), {**environment, **(env or {})}, input)
        if code is not None:
            assert result.code == code, result
        return result

    return run


@pytest.fixture
def mlops_process(
    console_script: str, environment: dict[str, str], request: pytest.FixtureRequest
) -> Callable[..., Result]:
    """Run the real console command; otherwise as `mlops`."""

    def run(
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        code: int | None = None,
    ) -> Result:
        done = subprocess.run(
            [console_script, *arguments],
            cwd=cwd or _place(request),
            env={**environment, **(env or {})},
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        if code is not None:
            assert result.code == code, result
        return result

    return run


def _place(request: pytest.FixtureRequest) -> Path:
    name = "repo" if "repo" in request.fixturenames else "tmp_path"
    place: Path = request.getfixturevalue(name)
    return place


def here(
    arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str], input: str | None = None
) -> Result:
    """Do in this process what `mlops ARGUMENTS` does in one of its own."""
    with _as_it_was(), _streams(input or "") as (stdout, stderr):
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        code = main.run(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        return Result(code, _read(stdout), _read(stderr))


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Leave nothing of a command behind in this process but the modules that it imported."""
    folder, environment = Path.cwd(), dict(os.environ)
    root = logging.getLogger()
    handlers, level, threshold = list(root.handlers), root.level, gc.get_threshold()
    mask = os.umask(0)
    os.umask(mask)
    interrupted, ended = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        os.umask(mask)
        signal.signal(signal.SIGINT, interrupted)
        signal.signal(signal.SIGTERM, ended)
        root.handlers[:] = handlers
        root.setLevel(level)
        gc.set_threshold(*threshold)
        context._current.clear()
        text.use_color(stdout=False, stderr=False)


@contextlib.contextmanager
def _streams(input: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Give the three standard streams, those of child processes too, files of their own."""
    former = sys.stdin, sys.stdout, sys.stderr
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in former]
        files[0].write(input.encode())
        files[0].seek(0)
        for number, file in enumerate(files):
            kept = os.dup(number)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            os.dup2(file.fileno(), number)
        stdin, stdout, stderr = (
            os.fdopen(number, mode, 1, "utf-8", errors, closefd=False)
            for number, (mode, errors) in enumerate(_MODES)
        )
        sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
        try:
            yield files[1], files[2]
        finally:
            sys.stdin, sys.stdout, sys.stderr = former
            for stream in (stdin, stdout, stderr):
                stream.close()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
