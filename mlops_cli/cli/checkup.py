"""What a healthy machine and project look like: one function a question, findings as answers."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_cli import __version__
from mlops_cli.cli.extras import EXTRAS
from mlops_cli.config import Settings
from mlops_cli.errors import MlopsError
from mlops_cli.store import chunks
from mlops_cli.vcs import drivers
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.workspace.remotes import Named

OLDEST_GIT = (2, 30)
PATIENCE = 5.0  # seconds to wait for a remote
CORE = ("typer", "rich", "gitpython", "pyyaml", "fsspec", "fastcdc", "pyarrow")


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. A problem keeps things from working; a note only says what is not there."""

    group: str
    name: str
    state: Literal["ok", "note", "problem"]
    message: str
    mend: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def of_error(group: str, name: str, error: MlopsError) -> Finding:
    """Return an error of the core as a finding."""
    return Finding(group, name, "problem", error.message, error.hint, {"code": error.code})


def versions() -> Iterator[Finding]:
    """Is what the program itself needs here, and new enough?"""
    yield Finding("program", "mlops", "ok", __version__, facts={"version": __version__})
    python = platform.python_version()
    facts = {"version": python, "executable": sys.executable, "platform": platform.platform()}
    yield Finding("program", "python", "ok", f"{python} ({sys.executable})", facts=facts)
    found = {name: _version(name) for name in CORE}
    gone = [name for name, version in found.items() if version is None]
    yield Finding(
        "program",
        "packages",
        "problem" if gone else "ok",
        f"missing: {', '.join(gone)}" if gone else "all there",
        "pip install --force-reinstall mlops-cli" if gone else None,
        {"packages": found},
    )
    able = chunks.available()
    message = (
        "large objects travel as chunks" if able else f"{chunks.NO_CUTTER}: large ones go whole"
    )
    mend = None if able else chunks.MEND
    yield Finding("program", "chunks", "ok" if able else "note", message, mend)


def extras() -> Iterator[Finding]:
    """Which optional parts are installed?"""
    for name, (purpose, packages) in EXTRAS.items():
        found = {package: _version(package) for package in packages}
        gone = [package for package, version in found.items() if version is None]
        yield Finding(
            "extras",
            name,
            "note" if gone else "ok",
            f"{purpose}: {'missing ' + ', '.join(gone) if gone else 'installed'}",
            f"pip install 'mlops-cli[{name}]'" if gone else None,
            {"packages": found},
        )


def git_setup(git: Git | None) -> Iterator[Finding]:
    """Is git there, new enough, and does it know who commits?"""
    program = shutil.which("git")
    if program is None:
        yield Finding("git", "git", "problem", "is not installed", "install git 2.30 or newer")
        return
    said = Git(git.root if git else Path("/")).run("--version")
    numbers = re.findall(r"\d+", said)
    version = ".".join(numbers[:3])
    old = tuple(int(number) for number in numbers[:2]) < OLDEST_GIT
    yield Finding(
        "git",
        "git",
        "problem" if old else "ok",
        version + (" is older than 2.30" if old else ""),
        "install git 2.30 or newer" if old else None,
        {"version": version},
    )
    if git is None:
        message = "this folder is not in a git repository"
        yield Finding("git", "repository", "problem", message, "mlops init")
        return
    yield Finding("git", "repository", "ok", str(git.root), facts={"root": str(git.root)})
    try:
        yield Finding("git", "identity", "ok", str(git.identity()))
        head = git.head()
    except MlopsError as error:
        yield of_error("git", "identity", error)
        return
    if head.branch is None:
        message = (
            f"HEAD is detached at {(head.commit or '')[:10]}: commits made here are on no branch"
        )
        yield Finding("git", "branch", "note", message, "git switch -c NAME")
    else:
        yield Finding(
            "git", "branch", "ok", head.branch + ("" if head.commit else ", no commit yet")
        )
    if drivers.installed(git):
        yield Finding("git", "merges", "ok", "git merges data with mlops in this clone")
    else:
        message = "git does not know in this clone how to merge data"
        yield Finding("git", "merges", "note", message, "mlops hooks install")


def pipeline(root: Path) -> Iterator[Finding]:
    """Does pipeline.yaml load, and which backends does it choose?"""
    if not (root / "pipeline.yaml").exists():
        message = "there is no pipeline.yaml"
        yield Finding("project", "pipeline", "note", message, "mlops init --template minimal")
        return
    from mlops_cli.pipeline.reading.load import load

    try:
        loaded = load(root)
    except MlopsError as error:
        yield of_error("project", "pipeline", error)
        return
    yield Finding("project", "pipeline", "ok", f"pipeline.yaml of {loaded.project.name} is valid")
    chosen: dict[str, str] = {
        f"train.{name}": each.backend.kind for name, each in loaded.train.items()
    }
    chosen |= {f"deployments.{name}": each.target.kind for name, each in loaded.deployments.items()}
    if chosen:
        words = ", ".join(f"{name}: {kind}" for name, kind in chosen.items())
        yield Finding("project", "backends", "ok", words, facts={"backends": chosen})


def remotes(settings: Settings, root: Path) -> Iterator[Finding]:
    """Does each remote answer, within a few seconds?"""
    from mlops_cli.workspace import remotes as known

    try:
        named = known.remotes(settings)
    except MlopsError as error:
        yield of_error("remotes", "remotes", error)
        return
    if not named:
        message = "none: the only copy of the data is on this disk"
        yield Finding("remotes", "remotes", "note", message, "mlops remote add NAME URL")
    answers: dict[str, Finding] = {}
    threads = [
        threading.Thread(target=_ask, args=(each, root, answers), daemon=True) for each in named
    ]
    for thread in threads:
        thread.start()
    for each, thread in zip(named, threads, strict=True):
        thread.join(PATIENCE)
        silent = f"{each.url} gave no answer in {PATIENCE:.0f} s"
        mend = "check the network, the address and the credentials"
        yield answers.get(each.name, Finding("remotes", each.name, "problem", silent, mend))
    default = settings.get("remote.default")
    if default is not None and default not in {each.name for each in named}:
        message = f"remote.default is {default!r}, which is no remote"
        yield Finding("remotes", "default", "problem", message, "mlops remote default NAME")


def _ask(named: Named, root: Path, answers: dict[str, Finding]) -> None:
    from mlops_cli.store.remotes.layout import FORMAT_AT_MOST, FORMAT_FILE
    from mlops_cli.workspace.remotes import connect

    try:
        data = connect(named, root).read(FORMAT_FILE, 0, FORMAT_AT_MOST)
    except MlopsError as error:
        answers[named.name] = of_error("remotes", named.name, error)
        return
    words = f"{named.url} answers" + ("" if data else "; nothing was pushed to it yet")
    answers[named.name] = Finding("remotes", named.name, "ok", words, facts={"url": named.url})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
