"""`.dvc` files: what was imported keeps its pin, and stages of the oldest DVC are stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dvc_world import DvcWorld, md5

from mlops_cli.integrations.dvc import repository, survey, text
from mlops_cli.integrations.dvc.files import read_file
from mlops_cli.integrations.dvc.lock import Locked
from mlops_cli.integrations.dvc.outs import Out
from mlops_cli.integrations.dvc.stages import Stage
from mlops_cli.vcs.repo import Git


def read(file: str, written: str) -> Any:
    (one,) = read_file(file, text.parse(written.encode(), name=file))
    return one


@pytest.mark.parametrize(
    ("dep", "pin"),
    [
        (
            "{path: a/b.csv, repo: {url: 'https://h/r', rev: v1, rev_lock: abc123}}",
            {"kind": "git", "url": "https://h/r", "path": "a/b.csv", "rev": "v1",
             "commit": "abc123"},
        ),
        (
            "{path: b.csv, repo: {url: ../../other, rev_lock: abc123}}",
            {"kind": "git", "url": "../other", "path": "b.csv", "commit": "abc123"},
        ),
        ("{path: 'https://h/b.csv', etag: x7}",
         {"kind": "url", "url": "https://h/b.csv", "etag": "x7"}),
        ("{path: /mnt/b.csv, md5: abc}", {"kind": "dvc", "url": "/mnt/b.csv"}),
    ],
)  # fmt: skip
def test_an_import_keeps_where_it_is_from(dep: str, pin: dict[str, str]) -> None:
    out = read("sub/b.csv.dvc", f"frozen: true\ndeps: [{dep}]\nouts: [{{path: b.csv, md5: null}}]")
    assert isinstance(out, Out)
    assert (out.path, out.pin) == ("sub/b.csv", pin)


def test_how_an_output_is_kept_is_read() -> None:
    name = md5(b"x")
    out = read(
        "a.dvc",
        f"wdir: data\nouts:\n- {{path: a, md5: {name}, hash: md5, size: 1, isexec: true,"
        " push: false, remote: far, cache: true}",
    )
    assert out == Out("data/a", "a.dvc", out.sum, 1, executable=True, push=False, remote="far")
    assert (out.sum.md5, out.sum.legacy) == (name, False)


def test_a_stage_of_the_oldest_dvc_is_one() -> None:
    name = md5(b"x")
    stage, locked = read(
        "sub/train.dvc",
        f"cmd: python t.py\nmd5: {name}\ndeps: [{{path: in, md5: {name}}},"
        " {path: p.yaml, params: {lr: 1}}]\n"
        f"outs: [{{path: m.json, md5: {name}, metric: true, cache: false}}]",
    )
    assert isinstance(stage, Stage) and isinstance(locked, Locked)
    assert (stage.name, stage.cmd, stage.wdir) == ("train", ("python t.py",), "sub")
    assert [(made.path, made.role) for made in stage.outs] == [("sub/m.json", "metrics")]
    assert stage.params == (("p.yaml", ("lr",)),)
    assert locked.params == {"p.yaml": {"lr": 1}} and set(locked.deps) == {"in"}


def test_a_folder_whose_files_stand_in_the_file_itself_is_read() -> None:
    name = md5(b"x")
    out = read(
        "d.dvc",
        f"outs: [{{path: d, hash: md5, files: [{{relpath: a/b, md5: {name}, size: 1,"
        " cloud: {far: {etag: e, version_id: v}}}]}]",
    )
    assert [(one.path, one.sum.md5) for one in out.listed] == [("a/b", name)]


def test_a_repository_in_a_folder_speaks_of_paths_below_it(
    dvc3: DvcWorld, tmp_path: Path, environment: Any, git: Any
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git("init", "-q", cwd=outer)
    dvc3.root.rename(outer / "inner")
    (outer / "inner/.git").rename(tmp_path / "gone")

    found = survey.survey(outer, Git(outer), repository.open_repository(outer, "inner"))

    assert "inner/data/raw" in {out.path for out in found.outs}
    assert "inner_prep" not in found.locks and "inner/dvc.yaml:prep" in found.locks
    assert found.repository.prefix == "inner/"
