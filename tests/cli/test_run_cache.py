"""Results of other clones: sent by push, taken by `run --pull`, and on main only what a record
in the ledger confirms."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  clean:
    cmd: echo clean >> $TOLD; cat days.csv > out/clean.csv
    deps: [days.csv]
    outs: [out/clean.csv]
  fit:
    cmd:
      - echo fit >> $TOLD; mkdir out/model
      - echo ${params.rate} > out/model/w; cp out/clean.csv out/model
    deps: [out/clean.csv]
    outs: [out/model]
"""


@pytest.fixture
def anna(repo: Path, mlops: Any, git: Any, tmp_path: Path, environment: dict[str, str]) -> Path:
    """A clone that tried another rate on a branch, and pushed what came out and who ran it."""
    environment["TOLD"] = str(tmp_path / "told")
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("rate: 0.1\n")
    (repo / "days.csv").write_text("1\n2\n")
    (repo / ".gitignore").write_text("/.mlops/*\n!/.mlops/config.yaml\n!/.mlops/lock/\nout/\n")
    mlops("remote", "add", "store", str(tmp_path / "store"), code=0)
    git("add", "-A")
    git("commit", "-qm", "Start")
    git("init", "-q", "--bare", "-b", "main", str(tmp_path / "hub.git"))
    git("remote", "add", "origin", str(tmp_path / "hub.git"))
    git("push", "-q", "-u", "origin", "main")
    git("switch", "-qc", "try")
    (repo / "params.yaml").write_text("rate: 0.2\n")
    mlops("run", code=0)
    mlops("push", code=0)
    return repo


@pytest.fixture
def ben(anna: Path, git: Any, tmp_path: Path) -> Path:
    """Another clone, on main, with the rate that Anna tried; nothing has run in it."""
    git("clone", "-q", str(tmp_path / "hub.git"), str(tmp_path / "ben"))
    git("config", "user.name", "Ben", cwd=tmp_path / "ben")
    git("config", "user.email", "ben@example.org", cwd=tmp_path / "ben")
    (tmp_path / "ben/params.yaml").write_text("rate: 0.2\n")
    (tmp_path / "told").unlink()
    return tmp_path / "ben"


def did(result: Any) -> dict[str, str]:
    return {one["step"]: one["did"] for one in result.data["steps"]}


def test_what_one_clone_ran_another_takes_from_the_remote(
    anna: Path, ben: Path, mlops: Any, tmp_path: Path, assert_valid: Any
) -> None:
    plan = mlops("run", "--pull", "--dry-run", "--json", cwd=ben, code=0)
    assert [one["action"] for one in plan.data["steps"]] == ["restore", "restore"]
    assert not (ben / "out").exists()
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert_valid(done.json)
    assert did(done) == {"clean": "restored", "fit": "restored"}
    assert done.json["warnings"] == []
    assert (ben / "out/model/w").read_text() == (anna / "out/model/w").read_text() == "0.2\n"
    assert not (tmp_path / "told").exists(), "nothing ran"
    assert mlops("run", "--pull", "--json", cwd=ben, code=0).data["steps"][1]["action"] == "skip"


def test_without_being_asked_a_run_asks_nobody(ben: Path, mlops: Any) -> None:
    assert set(did(mlops("run", "--json", cwd=ben, code=0)).values()) == {"ran"}


def test_the_setting_stands_for_the_option(ben: Path, mlops: Any, tmp_path: Path) -> None:
    mlops("config", "set", "--local", "run.remote_cache", "true", cwd=ben, code=0)
    assert set(did(mlops("run", "--json", cwd=ben, code=0)).values()) == {"restored"}


def test_a_push_sends_an_entry_once_and_in_one_file(anna: Path, mlops: Any, tmp_path: Path) -> None:
    (one,) = (tmp_path / "store/runs").iterdir()
    lines = [json.loads(line) for line in one.read_bytes().splitlines()]
    assert [sorted(line["outputs"]) for line in sorted(lines, key=lambda e: str(e["outputs"]))] == [
        ["out/clean.csv"],
        ["out/model"],
    ]
    assert {line["actor"] for line in lines} == {"Ada Lovelace <ada@example.org>"}
    assert one.stem == hashlib.sha256(one.read_bytes()).hexdigest()
    again = mlops("push", "--json", code=0).data
    assert (again["runs"], len(list((tmp_path / "store/runs").iterdir()))) == (0, 1)


def test_without_network_steps_run_and_one_warning_is_given(
    ben: Path, mlops: Any, tmp_path: Path
) -> None:
    shutil.move(tmp_path / "store", tmp_path / "unplugged")
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert set(did(done).values()) == {"ran"}
    (warning,) = done.json["warnings"]
    assert warning.startswith("The run cache of the remote is not asked: ")
    mlops("remote", "remove", "store", cwd=ben, code=0)
    (ben / "days.csv").write_text("3\n")
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert set(did(done).values()) == {"ran"}
    assert "there is no data remote yet" in done.json["warnings"][0]


def forge(store: Path, change: Any) -> None:
    """Put entries of one's own in place of those that are there."""
    (one,) = (store / "runs").iterdir()
    entries = [json.loads(line) for line in one.read_bytes().splitlines()]
    data = b"".join(json.dumps(change(entry)).encode() + b"\n" for entry in entries)
    one.unlink()
    (store / "runs" / f"{hashlib.sha256(data).hexdigest()}.jsonl").write_bytes(data)


def test_on_main_only_what_a_record_confirms_is_taken(
    ben: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    """Somebody with access to the remote says that cleaning gave other bytes."""
    other = "sha256:" + hashlib.sha256(b"0.2\n").hexdigest()

    def lie(entry: Any) -> Any:
        if "out/clean.csv" in entry["outputs"]:
            entry["outputs"]["out/clean.csv"]["digest"] = other
        return entry

    forge(tmp_path / "store", lie)
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert did(done) == {"clean": "ran", "fit": "restored"}
    (warning,) = done.json["warnings"]
    assert "trust.runs: project" in warning
    # elsewhere than on a protected branch the word of the remote is enough
    git("switch", "-qc", "mine", cwd=ben)
    shutil.rmtree(ben / ".mlops/cache")
    shutil.rmtree(ben / ".mlops/lock")
    shutil.rmtree(ben / "out")
    mlops("run", "--pull", cwd=ben, code=0)
    assert (ben / "out/clean.csv").read_text() == "0.2\n"
    # and what was taken there is not taken on main for that
    git("switch", "-q", "main", cwd=ben)
    shutil.rmtree(ben / ".mlops/lock", ignore_errors=True)
    shutil.rmtree(ben / "out")
    assert did(mlops("run", "--json", cwd=ben, code=0))["clean"] == "ran"


def test_whose_word_counts_is_a_setting(ben: Path, mlops: Any, git: Any) -> None:
    own = mlops("run", "--pull", "-n", "--json", cwd=ben, env={"MLOPS_TRUST_RUNS": "own"}, code=0)
    assert own.data["steps"][0]["action"] == "run"
    others = {"MLOPS_TRUST_WRITERS": "ci-*"}
    some = mlops("run", "--pull", "-n", "--json", cwd=ben, env=others, code=0)
    assert some.data["steps"][0]["action"] == "run"
    git("switch", "-q", "--detach", cwd=ben)  # as CI checks out
    some = mlops("run", "--pull", "-n", "--json", cwd=ben, env=others, code=0)
    assert some.data["steps"][0]["action"] == "run"
    every = {"MLOPS_TRUST_RUNS": "all"}
    some = mlops("run", "--pull", "-n", "--json", cwd=ben, env=every, code=0)
    assert some.data["steps"][0]["action"] == "restore"


def test_two_results_of_one_key_are_not_taken_from_a_step_that_promises_the_same_bytes(
    ben: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    git("switch", "-qc", "mine", cwd=ben)
    (one,) = (tmp_path / "store/runs").iterdir()
    entries = [json.loads(line) for line in one.read_bytes().splitlines()]
    entry = next(e for e in entries if "out/clean.csv" in e["outputs"])
    entry["outputs"]["out/clean.csv"]["digest"] = "sha256:" + hashlib.sha256(b"0.2\n").hexdigest()
    data = json.dumps(entry).encode() + b"\n"
    other = tmp_path / "store/runs" / f"{hashlib.sha256(data).hexdigest()}.jsonl"
    other.write_bytes(data)
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert did(done) == {"clean": "ran", "fit": "restored"}
    assert any("2 times with the same key" in warning for warning in done.json["warnings"])


def test_an_entry_that_would_write_elsewhere_is_no_entry(
    ben: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    git("switch", "-qc", "mine", cwd=ben)

    def escape(entry: Any) -> Any:
        (output,) = entry["outputs"].values()
        return {**entry, "outputs": {"../stolen": output}}

    forge(tmp_path / "store", escape)
    assert set(did(mlops("run", "--pull", "--json", cwd=ben, code=0)).values()) == {"ran"}
    assert not (tmp_path / "stolen").exists()


def test_damaged_bytes_at_the_remote_make_the_step_run(
    ben: Path, mlops: Any, tmp_path: Path
) -> None:
    (pack,) = (tmp_path / "store/packs").iterdir()
    pack.write_bytes(bytes(pack.stat().st_size))
    done = mlops("run", "--pull", "--json", cwd=ben, code=0)
    assert set(did(done).values()) == {"ran"}
    assert (ben / "out/clean.csv").read_text() == "1\n2\n"
    assert any("could be fetched" in warning for warning in done.json["warnings"])
