"""`mlops export dvc`: the real DVC finds all up to date, and checks out the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc_world import DvcWorld, md5, sha256

PIPELINE = """\
version: 1
project: {name: x, task: other}
steps:
  prep:
    cmd: head -n ${params.rows} data/raw/a.csv > out.csv && echo '{"x":1}' > m.json "${HOME:+}"
    deps: [data/raw, src.txt]
    params: ["params.yaml:train"]
    outs: [out.csv]
    metrics: [m.json]
  many:
    cmd: [mkdir -p o/d, cp ../out.csv o/d/f]
    wdir: work
    deps: [out.csv]
    outs: [work/o]
"""


@pytest.fixture
def dvc(real_dvc: Path, environment: dict[str, str]) -> Callable[..., str]:
    """Run the real DVC."""

    def run(*words: str, cwd: Path) -> str:
        done = subprocess.run(
            [real_dvc, *words],
            cwd=cwd,
            env={**environment, "DVC_NO_ANALYTICS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done
        return done.stdout

    return run


def test_dvc_finds_data_and_pipelines_up_to_date_and_brings_them_back(
    repo: Path, mlops: Any, git: Any, dvc: Any, assert_valid: Any
) -> None:
    (repo / "data/raw/sub").mkdir(parents=True)
    (repo / "data/raw/a.csv").write_bytes(b"1\r\n2\n")
    (repo / "data/raw/sub/run").write_text("#!/bin/sh\n")
    (repo / "data/raw/sub/run").chmod(0o755)
    (repo / "data/raw/empty").mkdir()
    (repo / "data/raw/link").symlink_to("a.csv")
    (repo / "model.bin").write_bytes(b"m" * 200_000)
    (repo / "model.bin").chmod(0o755)
    (repo / "src.txt").write_text("code\n")
    (repo / "work").mkdir()
    (repo / "params.yaml").write_text('rows: 1\ntrain: {lr: 1e-3, name: "1e3", on: yes}\n')
    (repo / "pipeline.yaml").write_text(PIPELINE)
    mlops("add", "data/raw", "model.bin", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")
    mlops("run", code=0)

    result = mlops("export", "dvc", "--json", code=0)

    assert_valid(result.json)
    rows = {(row["name"], row["state"]) for row in result.data["rows"]}
    assert ("data/raw", "exported") in rows and ("prep", "exported") in rows
    assert {name for name, state in rows if state == "noted"} == {
        "data/raw/empty", "data/raw/link", "data/raw/sub/run",
    }  # fmt: skip
    assert dvc("status", cwd=repo) == "Data and pipelines are up to date.\n"
    paths = ["data/raw/a.csv", "data/raw/sub/run", "model.bin", "out.csv", "work/o/d/f"]
    before = {path: sha256(repo / path) for path in paths}
    for path in ("data/raw", "work/o"):
        shutil.rmtree(repo / path)
    for path in ("model.bin", "out.csv"):
        (repo / path).unlink()
    dvc("checkout", cwd=repo)
    assert {path: sha256(repo / path) for path in paths} == before
    assert os.access(repo / "model.bin", os.X_OK)
    assert mlops("export", "dvc", "--json", code=0).data["written"] == 0


def test_what_came_from_dvc_goes_back_to_dvc(
    dvc_world: DvcWorld, mlops: Any, git: Any, dvc: Any
) -> None:
    root = dvc_world.root
    mlops("import", "dvc", cwd=root, code=0)
    mlops("checkout", cwd=root, code=0)
    before = dvc("status", cwd=root)
    with (root / "data/raw/a.csv").open("ab") as file:
        file.write(b"7,8\r\n")
    mlops("add", "data/raw", cwd=root, code=0)

    result = mlops("export", "dvc", "data/raw", "--json", cwd=root, code=0)

    assert [row["state"] for row in result.data["rows"]] == ["exported"]
    assert before == "Data and pipelines are up to date.\n"
    assert dvc("data", "status", cwd=root).count("data/raw") <= 1
    (root / "data/raw/a.csv").unlink()
    dvc("checkout", "data/raw.dvc", cwd=root)
    assert (root / "data/raw/a.csv").read_bytes().endswith(b"7,8\r\n")


def test_a_dvc_yaml_of_somebody_else_stays_as_it_is(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    mlops("import", "dvc", cwd=root, code=0)
    before = (root / "dvc.yaml").read_bytes(), (root / "dvc.lock").read_bytes()

    result = mlops("export", "dvc", "--json", cwd=root, code=0)

    states = {row["name"]: row["state"] for row in result.data["rows"]}
    assert states["dvc.yaml"] == "refused"
    assert states["data/raw"] == "unchanged"
    assert before == ((root / "dvc.yaml").read_bytes(), (root / "dvc.lock").read_bytes())


def test_what_a_person_wrote_into_a_dvc_file_stays(repo: Path, mlops: Any) -> None:
    (repo / "a.bin").write_bytes(b"new")
    mlops("add", "a.bin", code=0)
    (repo / ".dvc").mkdir()
    text = f"desc: mine\nouts:\n- md5: {md5(b'old')}\n  hash: md5\n  path: a.bin\n  desc: this\n"
    (repo / "a.bin.dvc").write_text(text)

    mlops("export", "dvc", code=0)

    written = (repo / "a.bin.dvc").read_text()
    assert "desc: mine\n" in written and "desc: this\n" in written
    assert f"md5: {md5(b'new')}\n" in written and md5(b"old") not in written


def test_what_is_in_no_cache_is_named(repo: Path, mlops: Any) -> None:
    (repo / "a.bin").write_bytes(b"a")
    (repo / "b.bin").write_bytes(b"b")
    mlops("add", "a.bin", "b.bin", code=0)
    (place,) = [
        path for path in (repo / ".mlops/cache/objects").rglob("*")
        if path.is_file() and path.read_bytes() == b"a"
    ]  # fmt: skip
    place.unlink()

    result = mlops("export", "dvc", "--json", code=40)

    states = {row["name"]: row["state"] for row in result.data["rows"]}
    assert states == {"a.bin": "missing", "b.bin": "exported"}
    assert not (repo / "a.bin.dvc").exists()


def test_a_dry_run_of_an_export_changes_nothing(repo: Path, mlops: Any, git: Any) -> None:
    (repo / "a.bin").write_bytes(b"a")
    mlops("add", "a.bin", code=0)
    before = git("status", "--porcelain", "-uall")

    result = mlops("export", "dvc", "--dry-run", "--json", code=0)

    assert [row["name"] for row in result.data["rows"]] == ["a.bin"]
    assert git("status", "--porcelain", "-uall") == before
    assert not (repo / ".dvc").exists()


def test_a_dvc_repository_further_inside_is_left_alone(repo: Path, mlops: Any) -> None:
    (repo / "sub/.dvc").mkdir(parents=True)
    (repo / "sub/a.bin").write_bytes(b"a")
    mlops("add", "sub/a.bin", code=0)

    result = mlops("export", "dvc", "--json", code=0)

    assert [row["state"] for row in result.data["rows"]] == ["refused"]
    assert not (repo / ".dvc").exists() and not (repo / "sub/a.bin.dvc").exists()
