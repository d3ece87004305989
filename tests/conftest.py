"""What every test may use: the real command in a process of its own, a real git repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["dvc_world", "s3server", "sftpserver", "trained", "webserver"]

NOW = "2013-03-01T00:00:00+00:00"


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


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of this machine's user shows."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_TERMINAL_PROMPT": "0",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        "COLUMNS": "80",
        "TERM": "xterm",
        "TZ": "UTC",
        "MLOPS_NOW": NOW,
    }


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The environment of commands; a test may change it before it calls `mlops`."""
    return clean_environment(home)


@pytest.fixture(scope="session")
def console_script() -> str:
    """The installed `mlops`."""
    beside = Path(sys.executable).with_name("mlops")
    found = str(beside) if beside.exists() else shutil.which("mlops")
    assert found, "mlops is not installed: pip install -e '.[dev]'"
    return found


@pytest.fixture
def mlops(
    console_script: str, environment: dict[str, str], request: pytest.FixtureRequest
) -> Callable[..., Result]:
    """Run the real console command: mlops("status", "--json", cwd=repo).

    Without `cwd` it runs in the repository of the `repo` fixture where the test uses it.
    `code=0` asserts the exit code; None takes any.
    """

    def run(
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        code: int | None = None,
        timeout: float = 120,
    ) -> Result:
        if cwd is None:
            name = "repo" if "repo" in request.fixturenames else "tmp_path"
            cwd = request.getfixturevalue(name)
        done = subprocess.run(
            [console_script, *arguments],
            cwd=cwd,
            env={**environment, **(env or {})},
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        if code is not None:
            assert result.code == code, result
        return result

    return run


@pytest.fixture
def git(environment: dict[str, str], request: pytest.FixtureRequest) -> Callable[..., str]:
    """Run git and return what it printed: git("log", "--oneline")."""

    def run(*arguments: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd or request.getfixturevalue("repo"),
            env={
                **environment,
                "GIT_AUTHOR_DATE": "2013-01-01T00:00:00Z",
                "GIT_COMMITTER_DATE": "2013-01-01T00:00:00Z",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


@pytest.fixture
def repo(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A real git repository on branch main with an identity and no commit."""
    root = tmp_path / "repo"
    root.mkdir()
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Ada Lovelace"),
        ("config", "user.email", "ada@example.org"),
        ("config", "commit.gpgsign", "false"),
    ):
        subprocess.run(["git", *words], cwd=root, env=environment, check=True)
    return root


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """golden("help.txt", text): the text is what tests/golden holds under that name.

    MLOPS_UPDATE_GOLDEN=1 writes it instead; read the difference before committing it.
    """

    def check(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("MLOPS_UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return check
