"""`mlops run --sandbox` and `--no-store`: what a step may see, and what becomes of its outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"


@pytest.fixture
def project(repo: Path) -> Callable[[str], Path]:
    """Write the steps of a pipeline: project("  a:\\n    cmd: …")."""
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\n")
    (repo / "data").mkdir()
    (repo / "data/rows").write_text("1\n2\n")
    (repo / "helper.sh").write_text("cat data/rows\n")

    def write(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        return repo

    return write


DECLARED = "  a: {cmd: sh helper.sh > out/a, deps: [data, helper.sh], outs: [out/a]}\n"


def test_a_step_that_declares_all_makes_the_same_in_a_sandbox(project: Any, mlops: Any) -> None:
    root = project(DECLARED)
    mlops("run", code=0)
    lock = (root / ".mlops/lock/a.json").read_bytes()
    result = mlops("run", "--force", "--sandbox", code=0)
    assert "declare" not in result.stderr
    assert (root / ".mlops/lock/a.json").read_bytes() == lock
    assert (root / "out/a").read_text() == "1\n2\n"
    assert not list((root / ".mlops/tmp/running").iterdir())


def test_what_a_step_reads_and_does_not_declare_is_named(project: Any, mlops: Any) -> None:
    root = project(DECLARED.replace("data, helper.sh", "helper.sh"))
    mlops("run", code=0)
    former = (root / "out/a").read_bytes()
    error = mlops("run", "--force", "--sandbox", "--json", code=60).error
    assert error["details"]["missed"] == ["data/rows"]
    assert error["hint"] == "add to deps: of a: data/rows"
    assert (root / "out/a").read_bytes() == former


def test_what_a_step_writes_and_does_not_declare_is_named(
    project: Any, mlops: Any, git: Any
) -> None:
    root = project(
        "  a:\n    cmd: echo > log.txt; echo 3 >> data/rows; rm data/more; echo > out/a\n"
        "    deps: [data]\n    outs: [out/a]\n"
    )
    (root / "data/more").touch()
    result = mlops("run", "--sandbox", code=0)
    words = "a did what it does not declare: wrote log.txt, removed data/more, changed data/rows."
    assert words in result.stderr
    assert (root / "data/rows").read_text() == "1\n2\n", "the real input is as it was"
    assert not (root / "log.txt").exists()
    assert (root / "out/a").exists()
    ref = git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").strip()
    path = git("ls-tree", "-r", "--name-only", ref).split()[0]
    facts = json.loads(git("show", f"{ref}:{path}"))["facts"]
    assert facts["undeclared"] == ["wrote log.txt", "removed data/more", "changed data/rows"]


def test_folders_of_outputs_metrics_and_params_are_there(project: Any, mlops: Any) -> None:
    root = project(
        "  a:\n    cmd: cat ../params.yaml > made/p; echo '{\"n\":' ${params.n} '}' > m.json\n"
        "    wdir: work\n    outs: [work/made/p]\n    metrics: [work/m.json]\n"
    )
    (root / "work").mkdir()
    (root / "params.yaml").write_text("n: 4\n")
    result = mlops("run", "--sandbox", "--json", code=0)
    assert result.data["steps"][0]["metrics"] == {"n": 4}
    assert (root / "work/made/p").read_text() == "n: 4\n"


@pytest.mark.parametrize("size", [3, 100_000])
def test_outputs_that_are_not_stored_stay_where_they_were_made(
    project: Any, mlops: Any, size: int
) -> None:
    root = project(f"  a: {{cmd: head -c {size} /dev/zero > out/a, outs: [out/a]}}\n")
    mlops("run", "--no-store", code=0)
    made = json.loads((root / ".mlops/lock/a.json").read_bytes())["outputs"]["out/a"]
    assert made["stored"] is False
    assert mlops("run", code=0).stdout.startswith("Nothing to do"), "it is up to date all the same"
    assert "out/a" not in mlops("ls", code=0).stdout, "no push may promise it"
    assert mlops("verify", "--json", code=0).data["clean"]
    (root / "out/a").unlink()
    assert mlops("run", "--json", code=0).data["steps"][0]["did"] == "ran", "nothing to restore"
    assert "stored" not in (root / ".mlops/lock/a.json").read_text()
    (root / "out/a").unlink()
    assert mlops("run", "--json", code=0).data["steps"][0]["did"] == "restored"


def test_an_output_that_was_not_stored_is_not_kept_when_it_is_made_again(
    project: Any, mlops: Any
) -> None:
    root = project("  a: {cmd: cat data/rows > out/a, outs: [out/a], deps: [data]}\n")
    mlops("run", "--no-store", code=0)
    (root / "data/rows").write_text("3\n")
    assert "changed by hand" not in mlops("run", "--no-store", code=0).stderr
    (root / "out/a").write_text("by hand")
    assert "changed by hand" in mlops("run", code=0).stderr
