"""`mlops run` and steps that fail, hang, ask for much, or leave something behind."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"


@pytest.fixture
def project(repo: Path) -> Callable[[str], Path]:
    """Write the steps of a pipeline: project("  a:\\n    cmd: …")."""
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\ncount\npid\n")

    def write(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        return repo

    return write


def records(git: Callable[..., str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").split():
        for path in git("ls-tree", "-r", "--name-only", ref).split():
            found.append(json.loads(git("show", f"{ref}:{path}")))  # noqa: PERF401
    return [one for one in found if one["kind"] == "run"]


FLAKY = """\
  a:
    cmd: echo x >> count; test $(wc -l < count) -ge 3 || {how}; echo done > out/a
    outs: [out/a]
    retries: {{times: {times}, on: [{on}], backoff: 0.01s}}
"""


@pytest.mark.parametrize(
    ("how", "on"),
    [("exit 75", "exit 75"), ("exit 3", "exit"), ("kill -KILL $$", "signal")],
)
def test_a_step_is_tried_again_after_the_failures_it_names(
    project: Any, mlops: Any, git: Any, how: str, on: str
) -> None:
    root = project(FLAKY.format(how=how, times=2, on=on))
    result = mlops("run", code=0)
    assert "try 2 of 3 in 0.01 s" in result.stderr
    assert (root / "out/a").read_text() == "done\n"
    assert sorted(one["status"] for one in records(git)) == ["done", "failed", "failed"]
    assert sorted(path.name for path in (root / ".mlops/logs").glob("*/*"))[:1] == ["a.2.log"]


def test_words_about_memory_are_a_failure_of_memory(project: Any, mlops: Any) -> None:
    how = "{ echo 'CUDA out of memory'; exit 1; }"
    project(FLAKY.format(how=how, times=2, on="memory"))
    assert "failed after" in mlops("run", code=0).stderr


def test_no_failure_is_tried_more_often_than_was_said_nor_another_one(
    project: Any, mlops: Any, git: Any
) -> None:
    root = project(FLAKY.format(how="exit 75", times=1, on="exit 75"))
    assert mlops("run", "--json", code=60).error["code"] == "step-failed"
    assert (root / "count").read_text() == "x\nx\n"
    (root / "count").unlink()
    project(FLAKY.format(how="exit 76", times=5, on="exit 75, timeout"))
    mlops("run", code=60)
    assert (root / "count").read_text() == "x\n"
    assert {one["status"] for one in records(git)} == {"failed"}


def test_a_class_of_failures_that_is_none_is_told_with_its_place(project: Any, mlops: Any) -> None:
    project(FLAKY.format(how="false", times=2, on="crash"))
    error = mlops("run", "--json", code=10).error
    assert error["message"].startswith("pipeline.yaml:7:30: 'crash' is no class of failures")
    assert "memory" in error["hint"]


CHECKPOINT = """\
  a:
    cmd: cat $MLOPS_CHECKPOINT/n > seen || true; echo {n} > ck/n; test {n} = 2 && cp ck/n out/a
    outs: [out/a]
    checkpoint: ck
    deps: [data]
"""


def test_a_checkpoint_outlives_a_failure_and_no_change_of_inputs(project: Any, mlops: Any) -> None:
    root = project(CHECKPOINT.format(n="$(cat n)").replace("test $(cat n)", "test $(cat n)"))
    (root / "data").write_text("1")
    (root / "n").write_text("1")
    mlops("run", code=60)
    assert (root / "ck/n").read_text() == "1\n", "kept for the next try"
    (root / "data").write_text("other inputs")
    mlops("run", code=60)
    assert (root / "seen").read_text() == "", "the checkpoint of other work is gone"
    (root / "n").write_text("2")
    mlops("run", code=0)
    assert (root / "seen").read_text() == "1\n"
    assert (root / "out/a").read_text() == "2\n"
    assert not (root / "ck").exists(), "done, so nothing is left to go on from"


def test_a_checkpoint_inside_an_output_is_refused(project: Any, mlops: Any) -> None:
    project("  a: {cmd: ':', outs: [out/a], checkpoint: out/a/ck}\n")
    assert "share a place" in mlops("run", "--json", code=10).error["message"]


def test_more_than_this_machine_has_is_refused_before_anything_runs(
    project: Any, mlops: Any
) -> None:
    root = project(
        "  a: {cmd: echo > out/a, outs: [out/a]}\n"
        "  b: {cmd: echo > out/b, outs: [out/b], resources: {gpus: 1000}}\n"
    )
    error = mlops("run", "--json", code=30).error
    assert error["code"] == "too-few-resources"
    assert error["message"].startswith("step b asks for 1000 gpus, and this machine has ")
    assert not (root / "out").exists()
    project("  a: {cmd: echo > out/a, outs: [out/a], resources: {mem: 4GB}}\n")
    error = mlops("run", "--json", env={"MLOPS_RUN_MEM": "2GB"}, code=30).error
    assert error["message"] == "step a asks for mem: 4GB, and this machine has 1.9 GiB"
    mlops("run", env={"MLOPS_RUN_MEM": "4GB"}, code=0)


ALONE = "mkdir busy && sleep 0.05 && rmdir busy && echo > out/{n}"


@pytest.mark.parametrize("what", ["cpus: 1", "mutex: [db]", "gpus: 1", "mem: 600MB"])
def test_steps_that_need_the_same_run_one_after_the_other(
    project: Any, mlops: Any, what: str
) -> None:
    """`mkdir` fails where two of them run together."""
    steps = ""
    for n in range(3):
        steps += f"  s{n}:\n    cmd: {ALONE.format(n=n)}\n    outs: [out/{n}]\n"
        steps += f"    resources: {{{what}}}\n"
    project(steps)
    machine = {"MLOPS_RUN_CPUS": "1", "MLOPS_RUN_MEM": "1GB", "MLOPS_RUN_GPUS": "1"}
    mlops("run", "-j3", env=machine, code=0)


def test_a_gpu_is_told_by_name_and_no_other_run_is_given_it(project: Any, mlops: Any) -> None:
    root = project(
        "  a: {cmd: echo $CUDA_VISIBLE_DEVICES > out/a, outs: [out/a], resources: {gpus: 1}}\n"
    )
    folder = root / ".mlops/tmp/mutex"
    folder.mkdir(parents=True)
    with (folder / "gpu.4.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        mlops("run", env={"CUDA_VISIBLE_DEVICES": "4,7"}, code=0)
    assert (root / "out/a").read_text() == "7\n"


def test_a_mutex_that_another_run_has_is_waited_for(project: Any, mlops: Any) -> None:
    root = project("  a: {cmd: echo > out/a, outs: [out/a], resources: {mutex: [db]}}\n")
    folder = root / ".mlops/tmp/mutex"
    folder.mkdir(parents=True)
    with (folder / "mutex.db.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        later = threading.Timer(0.3, other.close)
        later.start()
        mlops("run", code=0)
        later.join()
    assert (root / "out/a").exists()


def test_the_longest_way_to_go_comes_first(project: Any, mlops: Any) -> None:
    root = project(
        "  short: {cmd: echo short >> count; echo > out/s, outs: [out/s]}\n"
        "  one: {cmd: echo one >> count; echo > out/1, outs: [out/1]}\n"
        "  two: {cmd: echo two >> count; echo > out/2, outs: [out/2], deps: [out/1]}\n"
    )
    mlops("run", "-j1", code=0)
    assert (root / "count").read_text() == "one\nshort\ntwo\n", "nothing is known: depth counts"
    (root / "count").unlink()
    known = {"short": 60.0, "one": 1.0, "two": 1.0}
    (root / ".mlops/tmp/seconds.json").write_text(json.dumps(known))
    mlops("run", "-j1", "--force", code=0)
    assert (root / "count").read_text() == "short\none\ntwo\n"
    assert json.loads((root / ".mlops/tmp/seconds.json").read_bytes())["short"] < 60


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("start", ["sleep 50 &", "setsid sleep 50 > /dev/null 2>&1 < /dev/null &"])
def test_processes_that_a_step_leaves_behind_are_named_and_ended(
    project: Any, mlops: Any, start: str, git: Any
) -> None:
    step = f"{start} echo $! > pid; sleep 0.01; echo > out/a"
    root = project(f"  a:\n    cmd: '{step}'\n    outs: [out/a]\n")
    result = mlops("run", code=0)
    assert "a left a process behind, which was ended: sleep 50 (pid " in result.stderr
    deadline = time.monotonic() + 5
    while not gone(int((root / "pid").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_step_whose_neighbour_another_run_has_waits(project: Any, mlops: Any) -> None:
    """Who reads an output must not see it half written by another run."""
    root = project(
        "  a: {cmd: echo > out/a, outs: [out/a]}\n"
        "  b: {cmd: cat out/a data > out/b, outs: [out/b], deps: [out/a, data]}\n"
    )
    (root / "data").write_text("1")
    mlops("run", code=0)
    (root / "data").write_text("2")
    marker = root / ".mlops/tmp/running/a.json"
    handle = os.open(marker, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)

    def over() -> None:
        marker.unlink()
        os.close(handle)

    later = threading.Timer(0.3, over)
    later.start()
    result = mlops("run", code=0)
    later.join()
    assert "b waits for another mlops run." in result.stderr
    assert (root / "out/b").read_text() == "\n2"


def test_inputs_and_code_that_are_edited_during_a_run_spoil_no_result(
    project: Any, mlops: Any
) -> None:
    """Nobody knows what the step saw, so what it made stands for neither version."""
    root = project(
        "  a: {cmd: cat data > out/a; echo 2 >> data, outs: [out/a], deps: [data]}\n"
        "  b: {cmd: touch data; cat data > out/b, outs: [out/b], deps: [data]}\n"
    )
    (root / "data").write_text("1\n")
    error = mlops("run", "a", "--json", code=30).error
    assert error["code"] == "input-changed"
    assert error["message"] == "data changed while step a ran, which reads it"
    assert not (root / "out/a").exists()
    assert not (root / ".mlops/lock/a.json").exists()
    mlops("run", "b", code=0)
    assert (root / "out/b").read_text() == "1\n2\n", "what is only touched is the same"
