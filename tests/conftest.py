"""What every test may use: a clean environment, a real git repository, golden files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sigstore_world import Sigstore

pytest_plugins = [
    "command",
    "dvc_world",
    "looped",
    "s3server",
    "sftpserver",
    "trained",
    "webserver",
]

NOW = "2013-03-01T00:00:00+00:00"
MEMORY_DISK = Path("/dev/shm")
ROOM = 10 << 30  # bytes: three times what a run leaves there


def pytest_configure() -> None:
    # nearly every test waits for bytes to be on the disk; one in memory halves the suite
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and MEMORY_DISK.is_dir():
        idle = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if min(idle, shutil.disk_usage(MEMORY_DISK).free) >= ROOM:
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY_DISK)
    # a shell has its jobs in the background ignore ^C, and so would all that tests start
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `repo` copies: four processes of git are slower than a few files."""
    base = tmp_path_factory.mktemp("empty")
    root, environment = base / "repo", clean_environment(base)
    for words in (
        ("init", "-q", "-b", "main", str(root)),
        ("-C", str(root), "config", "user.name", "Ada Lovelace"),
        ("-C", str(root), "config", "user.email", "ada@example.org"),
        ("-C", str(root), "config", "commit.gpgsign", "false"),
    ):
        subprocess.run(["git", *words], env=environment, check=True)
    for sample in (root / ".git/hooks").glob("*.sample"):
        sample.unlink()
    return root


@pytest.fixture
def repo(tmp_path: Path, empty_repository: Path) -> Path:
    """A real git repository on branch main with an identity and no commit."""
    return Path(shutil.copytree(empty_repository, tmp_path / "repo"))


@pytest.fixture
def sigstore() -> Iterator[Sigstore]:
    """An authority, a log and timestamps on loopback, with keys of this test alone."""
    from sigstore_world import running

    with running() as state:
        yield state


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
