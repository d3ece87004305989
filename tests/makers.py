"""Other people's repositories for the tests, made in this process with the parts of mlops."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli import config
from mlops_cli.project import Project, open_project
from mlops_cli.store.cache import open_cache
from mlops_cli.workspace import track
from mlops_cli.workspace.reach import Reach
from mlops_cli.workspace.tracked import tracked

NOW = datetime(2013, 3, 1, tzinfo=UTC)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(root: Path) -> Path:
    """Return a new git repository at `root` on branch main."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    for name, value in (
        ("user.name", "Ada"),
        ("user.email", "ada@example.org"),
        ("commit.gpgsign", "false"),
    ):
        git(root, "config", name, value)
    return root


def project(root: Path) -> Project:
    """Return the project at `root`."""
    return open_project(root, config.load(root, environment={}, home=root))


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write `files`, folders and all."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)


def add(root: Path, *paths: str) -> None:
    """Track `paths` of the project at `root`."""
    one = project(root)
    track.add(
        root,
        paths,
        git=one.git,
        cache=one.cache,
        stats=one.stats,
        tracked=tracked(root, one.git),
    )


def commit(root: Path, message: str = "data") -> str:
    """Commit all that git does not ignore and return the commit."""
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)
    return git(root, "rev-parse", "HEAD")


def maker(root: Path) -> Path:
    """Return a repository with the tracked folder data, the tracked file big.bin (executable),
    and files that git keeps."""
    repository(root)
    write(root, {f"data/deep/{n}.csv": f"{n}\n" for n in range(5)})
    write(root, {"data/top.csv": "top\n", "big.bin": bytes(range(256)) * 8192})
    write(root, {"src/a.py": "print(1)\n", "src/b.txt": "b\n", "README.md": "read\n"})
    (root / "big.bin").chmod(0o755)
    (root / "src/a.py").chmod(0o755)
    add(root, "data", "big.bin")
    commit(root)
    return root


def reach(folder: Path, now: Callable[[], datetime] = lambda: NOW) -> Reach:
    """Return how other places are reached from `folder`, with a cache and mirrors in it."""
    return Reach(open_cache(folder / "cache"), folder, folder / "mirrors", folder, now)
