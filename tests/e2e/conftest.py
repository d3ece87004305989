"""One demo for all rows of the mission: made once a session, copied by whoever changes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import here
from shared import once, session_folder

# February to July: two retrainings, whose models then serve
MONTHS = 6


@pytest.fixture
def mlops(mlops_process: Any) -> Any:
    """A process, as everywhere in this folder."""
    return mlops_process


@dataclass(frozen=True)
class Project:
    """A project on disk, and the real command in it."""

    root: Path
    home: Path

    def environment(self) -> dict[str, str]:
        """The environment of a user who has a name and nothing else."""
        beside = Path(sys.executable).parent
        return {
            "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "COLUMNS": "100",
            "CI": "1",
        }

    def run(
        self, *words: str, code: int | None = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run any command in the project; `code` asserts how it ends, None takes any."""
        done = subprocess.run(
            words,
            cwd=self.root,
            env={**self.environment(), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def mlops(self, *words: str, code: int | None = 0, **env: str) -> Any:
        """Run `mlops … --json` and return the data, or the error of a command that failed."""
        document = json.loads(self.run("mlops", *words, "--json", code=code, **env).stdout)
        return document["data"] if document["ok"] else document["error"]

    def here(self, *words: str, code: int | None = 0) -> Any:
        """As `mlops`, in this process: for what only arranges or looks."""
        result = here((*words, "--json"), self.root, self.environment())
        assert code is None or result.code == code, result
        return result.data if result.json["ok"] else result.error

    def git(self, *words: str) -> str:
        """Run git and return what it printed."""
        return self.run("git", *words).stdout.strip()

    def said(self, *words: str, code: int | None = 0) -> str:
        """Run `mlops …` as a person does and return the screen, stderr below it."""
        done = self.run("mlops", *words, code=code)
        return done.stdout + done.stderr

    def lock(self, step: str) -> Any:
        """Return what the lock of `step` says."""
        return json.loads((self.root / f".mlops/lock/{step}.json").read_text())

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, in a file."""
        text = (self.root / path).read_text()
        assert old in text, f"{path} has no {old!r}"
        (self.root / path).write_text(text.replace(old, new))

    def commit(self, subject: str) -> None:
        """Commit all that git does not ignore, as a person would."""
        self.git("add", "-A")
        self.git("commit", "-qm", subject)


@dataclass(frozen=True)
class Demo(Project):
    """The project that `mlops demo` left, and what it told."""

    told: dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A copy of the demo's project whose production model answers at `url`; leave it as it is."""

    project: Project
    url: str

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and answer of a request, a POST where there is a body."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data)) as answer:
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _parsed(refusal.read())


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


def _home(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitconfig").write_text(
        "[user]\n\tname = Reader\n\temail = reader@example.com\n[init]\n\tdefaultBranch = main\n"
    )
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The whole loop on real data, played once; whoever changes it takes `project`.

    MLOPS_TEST_DEMO=FOLDER keeps it there and takes it from there: for work on these tests.
    """
    base = Path(os.environ.get("MLOPS_TEST_DEMO", session_folder(tmp_path_factory)))
    home, said = _home(base / "demo-home"), base / "demo.json"

    def make(root: Path) -> None:
        words = ("mlops", "demo", str(root), "--months", str(MONTHS), "--json")
        done = Project(root, home).run(*words, code=None)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        said.write_text(done.stdout)

    root = once(base / "demo", make)
    return Demo(root, home, json.loads(said.read_text())["data"])


@pytest.fixture
def project(demo: Demo, tmp_path: Path) -> Iterator[Project]:
    """A copy of the demo's project that a test may change; its server is stopped at the end."""
    copy = _copy(demo, tmp_path / "project")
    yield copy
    copy.here("deploy", "stop", "prod", code=None)


@pytest.fixture(scope="session")
def served(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the demo's production model, for all tests that only ask."""
    copy = _copy(demo, tmp_path_factory.mktemp("served") / "project")
    applied = copy.mlops("deploy", "apply", "prod")
    yield Served(copy, applied["url"])
    copy.mlops("deploy", "stop", "prod")


@pytest.fixture
def trained_project(trained: Path, tmp_path: Path) -> Project:
    """A small project that trains in seconds: v1 is registered, a better model is not yet."""
    return Project(trained, _home(tmp_path / "home"))


def _copy(demo: Demo, root: Path) -> Project:
    subprocess.run(["cp", "-a", "--reflink=auto", str(demo.root), str(root)], check=True)
    return Project(root, demo.home)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """A small project of command steps in a new repository: no extras, no data."""
    home, root = _home(tmp_path / "home"), tmp_path / "bare"
    root.mkdir()
    made = Project(root, home)
    made.run("mlops", "init", "--template", "minimal", "--name", "bare")
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A new repository, ignoring nothing and holding nothing."""
    home, root = _home(tmp_path / "home"), tmp_path / "empty"
    root.mkdir()
    made = Project(root, home)
    made.git("init", "-q")
    return made


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[Project, str], Project]:
    """Clone a project with its ledger, as another person would."""

    def make(origin: Project, name: str) -> Project:
        root = tmp_path / name
        subprocess.run(["git", "clone", "-q", str(origin.root), str(root)], check=True)
        refspec = "+refs/mlops/*:refs/mlops/*"
        subprocess.run(["git", "fetch", "-q", "origin", refspec], cwd=root, check=True)
        return Project(root, origin.home)

    return make
