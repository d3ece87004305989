"""Environments of steps: made from their locks, once, in the cache, and told in the records."""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.attempts.furnish import prepare
from mlops_cli.pipeline.attempts.process import Ended
from mlops_cli.pipeline.keys.lockfile import digest
from mlops_cli.pipeline.keys.room import Room, ready

PIPELINE = """\
version: 1
project: {name: p}
steps:
  greet:
    cmd: python -c "import tiny, sys; print(tiny.WORD, sys.prefix)" > out/greeting
    outs: [out/greeting]
    environment: {kind: venv, lock: tiny.txt}
  plain:
    cmd: python -c "import sys; print(sys.prefix)" > out/plain
    outs: [out/plain]
"""


def wheel(folder: Path, version: str) -> str:
    """Write the wheel of a package `tiny` and return the line of requirements that pins it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"tiny-{version}-py3-none-any.whl"
    files = {
        "tiny.py": f"WORD = 'tiny {version}'\n",
        f"tiny-{version}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
        ),
        f"tiny-{version}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{name},sha256={digest.decode().rstrip('=')},{len(text)}\n"
        name = f"tiny-{version}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(name), f"{record}{name},,\n")
    return f"./{folder.name}/{path.name}\n"


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / ".gitignore").write_text("/.mlops/*\n!/.mlops/lock/\nout/\n")
    (repo / "tiny.txt").write_text(wheel(repo / "wheels", "1.0"))
    git("add", "-A")
    git("commit", "-qm", "Start")
    return repo


def records(mlops: Any) -> dict[str, Any]:
    return {one["step"]: one for one in mlops("runs", "show", "--json", code=0).data["steps"]}


def test_a_step_runs_in_an_environment_made_from_its_lock(project: Path, mlops: Any) -> None:
    mlops("run", code=0)
    word, prefix = (project / "out/greeting").read_text().rsplit(" ", 1)
    (folder,) = (path for path in (project / ".mlops/cache/envs").iterdir() if path.is_dir())
    assert (word, prefix.strip()) == ("tiny 1.0", str(folder))
    assert (project / "out/plain").read_text().strip() == sys.prefix, "the other step has mlops's"
    told = records(mlops)
    assert told["greet"]["environment"]["packages"] == {"tiny": "1.0"}
    assert told["greet"]["environment"]["python"].startswith("3.")
    assert "numpy" in told["plain"]["environment"]["packages"]
    assert told["plain"]["environment"]["cpu"]["model"]

    # a comment is no other environment; another version is, and the former stays for who goes back
    lock = project / "tiny.txt"
    lock.write_text("# what greets\n" + lock.read_text())
    assert mlops("run", "--json", code=0).data["steps"][0]["action"] == "skip"
    lock.write_text(wheel(project / "wheels", "2.0"))
    (reason,) = mlops("explain", "greet", "--json", code=0).data["because"]
    assert reason["sentence"] == "the lock file of the environment changed"
    mlops("run", code=0)
    assert (project / "out/greeting").read_text().startswith("tiny 2.0")
    made = sorted(path for path in (project / ".mlops/cache/envs").iterdir() if path.is_dir())
    assert len(made) == 2


def test_an_environment_that_cannot_be_made_fails_its_step_with_what_pip_said(
    project: Path, mlops: Any
) -> None:
    (project / "tiny.txt").write_text("./wheels/no-such-1.0-py3-none-any.whl\n")
    result = mlops("run", "-k", "--json")
    assert (result.code, result.error["code"]) == (60, "environment-failed")
    assert "no-such" in result.error["message"]
    assert (project / "out/plain").exists(), "the other step ran"
    assert not [path for path in (project / ".mlops/cache/envs").iterdir() if path.is_dir()]


def test_what_a_killed_process_left_half_made_is_never_used(tmp_path: Path) -> None:
    here = Room("venv", tmp_path / "envs/abc", "tiny.txt", None, sys.executable)
    (tmp_path / "envs/abc/bin").mkdir(parents=True)
    (tmp_path / "envs/abc/bin/python").write_text("half")
    asked: list[list[str]] = []

    def do(words: list[str], environ: Any) -> Ended:
        if not asked:
            assert not (tmp_path / "envs/abc").exists()
            (tmp_path / "envs/abc/bin").mkdir(parents=True)
            (tmp_path / "envs/abc/bin/python").symlink_to(tmp_path / "python3.11")
        asked.append(words)
        return Ended(0, 0.0, False)

    (tmp_path / "python3.11").touch()
    assert not ready(here)
    assert prepare(here, root=tmp_path, environ={"PATH": ""}, do=do) is None
    assert ready(here) and len(asked) == 3
    prepare(here, root=tmp_path, environ={"PATH": ""}, do=do)
    assert len(asked) == 3, "it is made once"
    (tmp_path / "python3.11").unlink()
    assert not ready(here), "the interpreter that it was made with is gone"


def test_a_lock_that_is_edited_while_its_environment_is_made_makes_none(tmp_path: Path) -> None:
    (tmp_path / "tiny.txt").write_text("tiny==1.0\n")
    pinned = digest(b"tiny==1.0\n", "tiny.txt")
    here = Room("venv", tmp_path / "envs/abc", "tiny.txt", None, sys.executable, pinned)

    def do(words: list[str], environ: Any) -> Ended:
        (tmp_path / "tiny.txt").write_text("tiny==2.0\n")
        return Ended(0, 0.0, False)

    with pytest.raises(StateRefused) as caught:
        prepare(here, root=tmp_path, environ={"PATH": ""}, do=do)
    assert caught.value.code == "lock-changed"
    assert not ready(here)


def _prepare(folder: str, log: str) -> None:
    def do(words: list[str], environ: Any) -> Ended:
        with open(log, "a") as file:
            file.write("made\n")
        Path(folder, "bin").mkdir(parents=True)
        Path(folder, "bin/python").touch()
        return Ended(0, 0.0, False)

    here = Room("conda", Path(folder), "conda-lock.yml", None, sys.executable)
    prepare(here, root=Path(folder).parent, environ={"PATH": str(Path(folder).parent)}, do=do)


def test_two_processes_make_an_environment_once(tmp_path: Path) -> None:
    (tmp_path / "micromamba").write_text("#!/bin/sh\n")
    (tmp_path / "micromamba").chmod(0o755)
    words = (str(tmp_path / "env"), str(tmp_path / "log"))
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=_prepare, args=words) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert [one.exitcode for one in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "made\n"


IMAGE = "python@sha256:" + 64 * "a"


@pytest.mark.parametrize(
    ("said", "program"),
    [
        (f"kind: container, image: '{IMAGE}'", "docker or podman"),
        ("kind: uv", "uv"),
        ("kind: conda", "micromamba"),
        ("kind: venv, lock: pylock.toml", "uv"),
    ],
)
def test_a_program_that_is_missing_is_told_before_anything_runs(
    project: Path, mlops: Any, said: str, program: str, tmp_path: Path, git: Any
) -> None:
    text = PIPELINE.replace("kind: venv, lock: tiny.txt", said)
    (project / "pipeline.yaml").write_text(text)
    (project / "uv.lock").write_text("version = 1\n")
    (project / "pylock.toml").write_text('lock-version = "1.0"\npackages = []\n')
    (project / "conda-lock.yml").write_text("package: []\n")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("git", "sh"):
        (bare / name).symlink_to(
            next(p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists())
        )
    result = mlops("run", "--json", env={"PATH": str(bare)})
    assert (result.code, result.error["code"]) == (80, "missing-program")
    assert result.error["details"]["program"] == program
    assert not (project / "out/plain").exists()


def test_a_container_is_told_by_its_digest_and_started_with_the_project(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    """With a `docker` that writes down how it was called: what a daemon does is not ours."""
    text = PIPELINE.replace("kind: venv, lock: tiny.txt", f"kind: container, image: '{IMAGE}'")
    (project / "pipeline.yaml").write_text(text)
    bare = tmp_path / "bin"
    bare.mkdir()
    docker = bare / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\necho hi > out/greeting\n')
    docker.chmod(0o755)
    mlops("run", "greet", code=0, env={"PATH": f"{bare}:{os.environ['PATH']}"})
    words = (tmp_path / "words").read_text()
    assert words.startswith(f"run --rm --init --user {os.getuid()}:{os.getgid()} ")
    assert f"--volume {project}:{project} --workdir {project}" in words
    assert f"{IMAGE} /bin/sh -c python" in words
    assert "PATH" not in words.partition(IMAGE)[0]
    lock = json.loads((project / ".mlops/lock/greet.json").read_text())
    assert lock["parts"]["environment"] == {"kind": "container", "image": "sha256:" + 64 * "a"}


@pytest.mark.parametrize(
    ("said", "code", "place"),
    [
        ("kind: container", "wrong-value", "7:25"),
        ("kind: container, image: python", "wrong-value", "7:43"),
        ("kind: venv", "missing-key", "7:25"),
        ("kind: uv, lock: requirements.txt", "wrong-value", "7:35"),
        ("kind: venv, lock: ../x.txt", "path-outside-project", "7:37"),
    ],
)
def test_an_environment_that_means_nothing_is_refused_where_it_stands(
    project: Path, mlops: Any, said: str, code: str, place: str
) -> None:
    text = PIPELINE.replace("kind: venv, lock: tiny.txt", said)
    (project / "pipeline.yaml").write_text(text)
    result = mlops("run", "--json")
    assert (result.code, result.error["code"]) == (10, code)
    assert result.error["message"].startswith(f"pipeline.yaml:{place}: ")


def test_a_kind_of_mlops_says_what_its_environment_lacks(project: Path, mlops: Any) -> None:
    (project / "days.csv").write_text("day,rain\n1,2\n")
    (project / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nenv: {kind: venv, lock: tiny.txt}\n"
        "data: {days: {path: days.csv}}\n"
    )
    result = mlops("run", "--json")
    assert (result.code, result.error["code"]) == (60, "environment-lacks-mlops")
    assert "tiny.txt does not bring mlops-cli" in result.error["message"]


def test_a_commit_of_a_changed_lock_is_blocked_while_its_step_is_stale(
    project: Path, mlops: Any, git: Any
) -> None:
    text = PIPELINE.partition("  greet")[0] + "  plain" + PIPELINE.partition("  plain")[2]
    (project / "pipeline.yaml").write_text(text + "    environment: {lock: conda-lock.yml}\n")
    (project / "conda-lock.yml").write_text("package: [{name: tiny, version: '1'}]\n")
    git("add", "-A")
    git("commit", "-qm", "conda")
    mlops("run", code=0)
    (project / "conda-lock.yml").write_text("package: [{name: tiny, version: '2'}]\n")
    (project / "other").write_text("")
    git("add", "other")
    assert mlops("hooks", "run", "pre-commit").code == 0
    git("add", "conda-lock.yml")
    blocked = mlops("hooks", "run", "pre-commit", code=1)
    assert "the lock file of the environment changed" in blocked.stdout + blocked.stderr
