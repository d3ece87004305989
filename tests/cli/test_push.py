"""`mlops push`: what the remote lacks is sent, verified, in few requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(repo: Path, mlops: Any) -> Path:
    """A repository with a folder of small files, one large file, and a remote folder."""
    (repo / "data").mkdir()
    for number in range(40):
        (repo / "data" / f"{number}.csv").write_text(f"{number}\n")
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "data", "big.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    return repo


def test_a_push_sends_once_what_is_missing(project: Path, mlops: Any, assert_valid: Any) -> None:
    first = mlops("push", "--json", code=0)
    second = mlops("push", "--json", code=0)

    assert_valid(first.json)
    assert first.data["objects"] == 42  # 40 files, their folder, the large one
    assert (second.data["objects"], second.data["held"]) == (0, 0)
    remote = project.parent / "remote"
    assert (remote / "format.json").is_file()
    assert len(list((remote / "packs").iterdir())) == 1
    assert not [name for name in remote.rglob("*") if name.name.startswith(".tmp")]


def test_a_dry_run_sends_nothing(project: Path, mlops: Any) -> None:
    plan = mlops("push", "--dry-run", "--json", code=0).data

    assert plan["dry_run"] and plan["objects"] == 42
    assert plan["bytes"] > 1 << 20
    assert not (project.parent / "remote").exists()


def test_one_path_can_be_pushed_alone(project: Path, mlops: Any) -> None:
    assert mlops("push", "big.bin", "--json", code=0).data["objects"] == 1


def test_without_a_remote_it_says_how_to_add_one(repo: Path, mlops: Any) -> None:
    result = mlops("push", "--json")
    assert (result.code, result.error["code"]) == (20, "no-remote")
    assert "mlops remote add" in result.error["hint"]


def test_records_and_tags_go_where_no_data_remote_is(
    repo: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    git("init", "-q", "--bare", "../hub.git")
    git("remote", "add", "origin", "../hub.git")
    (repo / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n  say:\n    cmd: echo hello\n"
    )
    git("add", "pipeline.yaml")
    git("commit", "-qm", "a step that leaves nothing but its record")
    mlops("run", code=0)

    sent = mlops("push", "--json", code=0)
    told = mlops("push", code=0).stdout

    assert_valid(sent.json)
    assert sent.data["history"] == {"remote": "origin", "refs": 1, "tags": 0}
    assert (sent.data["remote"], sent.data["remotes"]) == (None, [])
    assert "origin has all records and tags." in told
    assert "there is no data remote yet: mlops remote add" in told
    assert git("for-each-ref", "refs/mlops/ledger/", cwd=repo.parent / "hub.git")
    # data that nobody gets is another matter: a script must see it, and the records go
    (repo / "big.bin").write_bytes(b"big")
    mlops("add", "big.bin", code=0)
    git("tag", "-am", "{}", "mlops/m/v1")
    lost = mlops("push", "--json", code=20)
    assert lost.error["code"] == "no-remote"
    assert lost.error["details"] == {
        "paths": ["big.bin"],
        "history": {"remote": "origin", "refs": 0, "tags": 1},
    }
    assert "1 path went nowhere; records and tags are at origin" in lost.error["message"]


def test_what_has_a_remote_goes_there_though_the_rest_has_none(
    project: Path, mlops: Any, git: Any
) -> None:
    mlops("remote", "remove", "origin", code=0)
    mlops("remote", "add", "vault", "../vault", code=0)
    mlops("remote", "add", "other", "../other", code=0)
    mlops("config", "unset", "remote.default", code=0)
    bind(project, "big.bin", remote="vault")

    lost = mlops("push", "--json", code=20).error

    assert (lost["code"], lost["details"]["paths"]) == ("no-remote", ["data"])
    assert len(list((project.parent / "vault").rglob("*"))) > 1
    assert not (project.parent / "other").exists()


def test_records_that_are_all_there_is_to_send_must_arrive(
    repo: Path, mlops: Any, git: Any
) -> None:
    git("remote", "add", "origin", str(repo.parent / "nowhere"))
    git("commit", "-qm", "nothing yet", "--allow-empty")
    git("tag", "-am", "{}", "mlops/m/v1")

    assert mlops("push", "--json", code=50).error["code"] == "git-failed"


def test_a_remote_that_fails_keeps_no_record_from_going(
    project: Path, mlops: Any, git: Any
) -> None:
    git("init", "-q", "--bare", "../hub.git")
    git("remote", "add", "origin", "../hub.git")
    git("commit", "-qm", "nothing yet", "--allow-empty")
    git("tag", "-am", "{}", "mlops/m/v1")
    (project.parent / "remote").write_text("a file where a folder should be")

    assert mlops("push", "--json").code != 0
    assert "mlops/m/v1" in git("ls-remote", "origin")


def test_an_unknown_remote_is_told_with_the_known_ones(project: Path, mlops: Any) -> None:
    result = mlops("push", "--remote", "orign", "--json")
    assert result.error["code"] == "unknown-remote"
    assert "origin" in result.error["hint"]


def test_a_damaged_object_is_refused_by_path_and_never_arrives(project: Path, mlops: Any) -> None:
    digest = next(
        one["digest"] for one in mlops("ls", "--json").data["entries"] if one["path"] == "big.bin"
    ).removeprefix("sha256:")
    place = project / ".mlops/cache/objects" / digest[:2] / digest[2:]
    place.chmod(0o644)
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)

    result = mlops("push", "--json")

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert result.error["details"]["damaged"][0]["path"] == "big.bin"
    assert result.error["hint"] == "mlops verify --repair"
    assert not (project.parent / "remote/objects" / digest[:2]).exists() or not list(
        (project.parent / "remote/objects" / digest[:2]).iterdir()
    )
    # the good copy in the workspace mends it, and the same push goes through
    mlops("verify", "--repair", code=0)
    mlops("push", code=0)


def test_a_push_to_s3_needs_no_more_than_the_environment(
    project: Path, mlops: Any, s3: Any
) -> None:
    mlops("remote", "add", "cloud", s3.url(), "--endpoint", s3.endpoint, code=0)

    sent = mlops("push", "-r", "cloud", "--json", env=s3.env, code=0).data
    again = mlops("push", "-r", "cloud", "--json", env=s3.env, code=0).data

    assert (sent["objects"], again["objects"]) == (42, 0)
    assert again["requests"] <= 4


def bind(repo: Path, name: str, **words: Any) -> None:
    """Change what the pointer of `name` says of its remote."""
    pointer = repo / f"{name}.mlops"
    pointer.write_text(json.dumps(json.loads(pointer.read_text()) | words))


def test_each_path_goes_to_its_remote_and_some_stay_here(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    mlops("remote", "add", "vault", "../vault", code=0)
    (project / "secret.bin").write_text("hush")
    mlops("add", "secret.bin", code=0)
    bind(project, "big.bin", remote="vault")
    bind(project, "secret.bin", push=False)

    pushed = mlops("push", "--json", code=0)

    assert_valid(pushed.json)
    sent = {one["name"]: (one["paths"], one["objects"]) for one in pushed.data["remotes"]}
    assert sent == {"origin": (["data"], 41), "vault": (["big.bin"], 1)}
    assert pushed.data["kept"] == ["secret.bin"]
    # a remote that is named on the command line is for those that name none
    mlops("remote", "add", "copy", "../copy", code=0)
    again = mlops("push", "-r", "copy", "--json", code=0).data["remotes"]
    assert [(one["name"], one["paths"]) for one in again] == [
        ("copy", ["data"]),
        ("vault", ["big.bin"]),
    ]
    status = mlops("status", code=0).stdout
    assert "not on the remote" not in status
    git("add", "-A")
    git("commit", "-qm", "data")
    clone = project.parent / "clone"
    git("clone", "-q", str(project), str(clone))
    pulled = mlops("pull", "--json", cwd=clone, code=0)
    assert_valid(pulled.json)
    assert pulled.data["kept"] == ["secret.bin"]
    assert (clone / "big.bin").read_bytes() == (project / "big.bin").read_bytes()
    assert not (clone / "secret.bin").exists()


def test_a_plan_has_a_price(project: Path, mlops: Any, git: Any) -> None:
    prices = {"put": "5000", "get": "400", "gb_month": "1000", "gb_out": "2000"}
    for name, price in prices.items():
        mlops("config", "set", f"remotes.origin.price.{name}", price, code=0)

    (plan,) = mlops("push", "--plan", "--json", code=0).data["remotes"]

    asked = plan["requests"]
    assert plan["cost"]["once"] == 5 * (asked["writes"] + asked["lists"]) + 0.4 * asked["reads"]
    assert plan["cost"]["monthly"] == pytest.approx(plan["bytes"] / 1e6)
    assert "USD a month" in mlops("push", "--plan", code=0).stdout
    (sent,) = mlops("push", "--json", code=0).data["remotes"]
    assert sum(sent["requests"].values()) <= sum(asked.values()) + 1
    git("add", "-A")
    git("commit", "-qm", "data")
    clone = project.parent / "clone"
    git("clone", "-q", str(project), str(clone))
    (plan,) = mlops("pull", "--plan", "--json", cwd=clone, code=0).data["remotes"]
    assert plan["bytes"] > 1 << 20
    assert plan["cost"]["once"] > plan["bytes"] / 1e9 * 2000


def test_a_folder_that_may_only_be_read_is_told_before_a_byte_is_sent(
    project: Path, console_script: str, environment: dict[str, str]
) -> None:
    remote = project.parent / "remote"
    remote.mkdir(mode=0o555)
    # root may write anywhere, unless it gives that up
    modest = ["setpriv", "--bounding-set", "-dac_override", "--"] if os.geteuid() == 0 else []

    done = subprocess.run(
        [*modest, console_script, "push", "--json"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (50, "remote-read-only")
    assert list(remote.iterdir()) == []


def test_two_pushes_at_once_leave_all_of_both(
    project: Path, mlops: Any, git: Any, s3: Any, console_script: str, environment: dict[str, str]
) -> None:
    mlops("remote", "add", "cloud", s3.url(), "--default", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")
    other = project.parent / "other"
    shutil.copytree(project, other)
    (other / "data/more.csv").write_text("more")
    mlops("add", "data", cwd=other, code=0)

    both = [
        subprocess.Popen(
            [console_script, "push"], cwd=cwd, env={**environment, **s3.env}, stdout=subprocess.PIPE
        )
        for cwd in (project, other)
    ]

    assert [one.communicate() and one.returncode for one in both] == [0, 0]
    for origin in (project, other):
        if origin == other:
            git("commit", "-qam", "more", cwd=other)
        clone = origin.parent / f"clone-of-{origin.name}"
        git("clone", "-q", str(origin), str(clone))
        mlops("pull", cwd=clone, env=s3.env, code=0)
        assert len(list((clone / "data").iterdir())) == len(list((origin / "data").iterdir()))


def test_older_versions_go_along_when_asked(project: Path, mlops: Any, git: Any) -> None:
    git("add", "-A")
    git("commit", "-qm", "one")
    (project / "big.bin").write_bytes(b"two" * 100_000)
    mlops("add", "big.bin", code=0)
    git("commit", "-qam", "two")
    (project / "big.bin").write_bytes(b"three" * 100_000)
    mlops("add", "big.bin", code=0)
    git("commit", "-qam", "three")
    mlops("push", "--json", code=0)
    planned = mlops("push", "--history", "--plan", "--json", code=0).data
    sent = mlops("push", "--history", "--json", code=0).data
    assert (sent["objects"], planned["objects"]) == (2, 2)
    assert mlops("push", "--history", "--json", code=0).data["objects"] == 0

    again = project.parent / "again"
    git("clone", "-q", str(project), str(again), cwd=project.parent)
    git("checkout", "-q", "HEAD~2", cwd=again)
    mlops("pull", cwd=again, code=0)
    assert (again / "big.bin").stat().st_size == 1 << 20


def test_older_versions_that_nobody_has_any_more_are_told(
    project: Path, mlops: Any, git: Any
) -> None:
    git("add", "-A")
    git("commit", "-qm", "one")
    (project / "big.bin").write_bytes(b"two" * 100_000)
    mlops("add", "big.bin", code=0)
    git("commit", "-qam", "two")
    shutil.rmtree(project / ".mlops/cache")
    mlops("add", "big.bin", "data", "--force", code=0)
    told = mlops("push", "--history", "--json", code=0)
    assert "older version" in told.json["warnings"][0]
