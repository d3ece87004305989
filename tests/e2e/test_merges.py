"""Two people, two clones, two branches: git merges data, and what it cannot is kept and named."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mlops_cli.cli import main

IGNORED = "/.mlops/*\n!/.mlops/config.yaml\n!/.mlops/lock/\n"


@dataclass(frozen=True)
class Person:
    """A clone, and the commands that its owner types."""

    root: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def git(self, *words: str, code: int = 0) -> str:
        """Run git, which runs hooks and driver in processes of their own; return all it said."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            input="",
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def mlops(self, *words: str, code: int = 0) -> Any:
        """Run a command in this process, for a process each would be half of the test's time."""
        said = io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            contextlib.chdir(self.root),
            contextlib.redirect_stdout(said),
        ):
            answer = main.run([*words, "--json"])
        assert answer == code, f"{words}\n{said.getvalue()}"
        document = json.loads(said.getvalue())
        return document["data"] if document["ok"] else document["error"]

    def write(self, files: dict[str, str | None]) -> None:
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def commit(self, *add: str) -> None:
        """Add data and commit all of it."""
        if add:
            self.mlops("add", *add)
        self.git("add", "-A")
        self.git("commit", "-qm", "work", "--no-verify")

    def undecided(self) -> dict[str, str]:
        rows = self.mlops("status")["workspace"]["rows"]
        return {row["name"]: row["reason"] for row in rows if row["state"] == "undecided"}

    def pointer(self, file: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.root / file).read_text())
        return value


def begin(folder: Path, files: dict[str, str]) -> None:
    """Make two clones in `folder`, which may be copied: branches `mine` and `yours`."""
    (folder / "home").mkdir(parents=True)
    user = "[user]\n\tname = Reader\n\temail = reader@example.com\n"
    (folder / "home/.gitconfig").write_text(user + "[init]\n\tdefaultBranch = main\n")
    one = Person(folder / "one", folder / "home")
    one.root.mkdir()
    one.git("init", "-q")
    one.git("init", "-q", "--bare", "../hub.git")
    one.git("remote", "add", "origin", "../hub.git")
    one.mlops("hooks", "install")
    one.mlops("remote", "add", "store", "../store")
    one.write(files | {".gitignore": IGNORED})
    one.commit("data")
    one.git("push", "-qu", "origin", "main")
    shutil.copytree(one.root, folder / "two", symlinks=True)  # with data and settings
    one.git("checkout", "-qb", "mine")
    Person(folder / "two", folder / "home").git("checkout", "-qb", "yours")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pair` copies."""
    folder = tmp_path_factory.mktemp("merges") / "begun"
    begin(folder, {f"data/{name}": "1" for name in ("a", "b", "c", "d/x", "d/y", "e")})
    return folder


@pytest.fixture
def pair(begun: Path, tmp_path: Path) -> tuple[Person, Person]:
    """Two clones with the same `data`: a, b, c, d/x, d/y and e, each holding 1."""
    shutil.copytree(begun, tmp_path / "pair", symlinks=True)
    return people(tmp_path / "pair")


def people(folder: Path) -> tuple[Person, Person]:
    return Person(folder / "one", folder / "home"), Person(folder / "two", folder / "home")


def meet(one: Person, two: Person, *how: str, code: int | None = 0) -> str:
    """Let `two` push, and `one` merge it."""
    two.git("push", "-q", "origin", "yours")
    one.git("fetch", "-q")
    return one.git(*(how or ("merge", "--no-edit")), "origin/yours", code=code)


def test_two_branches_that_changed_different_files_of_thousands_merge_by_themselves(
    tmp_path: Path,
) -> None:
    begin(tmp_path / "pair", {f"data/d{i % 50}/f{i}": f"{i}" for i in range(5000)})
    one, two = people(tmp_path / "pair")
    one.write({"data/d1/f1": "one", "data/d2/f2": None, "data/one/new": "one"})
    one.commit("data")
    two.write({"data/d1/f51": "two", "data/d3/f3": None, "data/two/new": "two"})
    two.commit("data")
    meet(one, two)
    one.mlops("pull")
    assert one.mlops("status")["clean"] or one.undecided() == {}
    assert one.git("status", "--porcelain") == ""
    found = {
        path.name: path.read_text() for path in (one.root / "data").rglob("*") if path.is_file()
    }
    assert (found["f1"], found["f51"]) == ("one", "two")
    assert not {"f2", "f3"} & set(found)
    assert (one.root / "data/one/new").exists() and (one.root / "data/two/new").exists()
    assert one.pointer("data.mlops")["files"] == 5000


def test_a_file_that_both_changed_is_kept_twice_named_and_decided_file_by_file(pair: Any) -> None:
    one, two = pair
    one.write({"data/a": "one", "data/b": "one"})
    one.commit("data")
    two.write({"data/a": "two", "data/b": "two", "data/c": "two"})
    two.commit("data")
    assert "CONFLICT" in meet(one, two, code=1)
    assert one.undecided() == {"data": "both sides changed a, b"}
    assert "both sides changed a, b" in one.git("commit", "-qam", "not yet", code=1)
    one.mlops("pull")
    left = one.mlops("merge", "--theirs", "data/a", code=1)
    assert left["conflicts"][0]["reason"] == "both sides changed b"
    done = one.mlops("merge", "--both", "data")
    assert done["decided"] == ["data.mlops"]
    one.mlops("pull")
    one.git("commit", "-qm", "decided")
    files = {path.name: path.read_text() for path in (one.root / "data").glob("[abc]*")}
    assert files == {"a": "two", "b": "one", "b.theirs": "two", "c": "two"}
    nothing = one.mlops("merge")
    assert [nothing[key] for key in ("carried", "decided", "restored", "conflicts")] == [[]] * 4


@pytest.mark.parametrize("how", ["rebase", "stash"])
def test_git_keeps_both_sides_whatever_it_is_doing(pair: Any, how: str) -> None:
    one, two = pair
    one.write({"data/a": "one"})
    one.commit("data")
    two.write({"data/a": "two", "data/b": "two"})
    two.commit("data")
    if how == "stash":
        one.write({"data/a": "stashed"})
        one.mlops("add", "data")
        one.git("stash", "-q")
        two.git("push", "-q", "origin", "yours")
        one.git("fetch", "-q")
        one.git("reset", "-q", "--hard", "origin/yours")
        one.git("stash", "pop", code=1)
    else:
        meet(one, two, how, code=1)
    assert one.undecided() == {"data": "both sides changed a"}
    assert one.mlops("merge", "--theirs")["conflicts"] == []
    if how != "stash":
        one.git("-c", "core.editor=true", how, "--continue")
    assert "theirs" not in one.pointer("data.mlops")
    assert one.git("ls-files", "--unmerged") == ""


def test_deleted_here_and_changed_there_is_named_and_decided(pair: Any) -> None:
    one, two = pair
    one.git("rm", "-q", "data.mlops")
    one.git("commit", "-qm", "no data", "--no-verify")
    two.write({"data/a": "two"})
    two.commit("data")
    assert "modify/delete" in meet(one, two, code=1)
    assert one.undecided() == {"data": "we deleted what they changed"}
    assert one.mlops("merge", code=1)["conflicts"][0]["mend"].startswith("mlops merge --ours")
    one.mlops("merge", "--theirs", "data")
    one.git("commit", "-qm", "kept", "--no-verify")
    assert one.pointer("data.mlops")["files"] == 6
    two.git("rm", "-q", "data.mlops")
    two.git("commit", "-qm", "no data", "--no-verify")
    one.mlops("pull")
    one.write({"data/a": "again"})
    one.commit("data")
    meet(one, two, code=1)
    assert one.undecided() == {"data": "they deleted what we changed"}
    one.mlops("merge", "--theirs")
    assert not (one.root / "data.mlops").exists()


def test_a_path_that_both_added_is_one_folder_afterwards(pair: Any) -> None:
    one, two = pair
    for person, name in ((one, "one"), (two, "two")):
        person.write({f"new/{name}": name, f"own_{name}/x": name})
        person.commit("new", f"own_{name}")
    meet(one, two)  # .gitignore as well, where both wrote lines of their own
    one.mlops("pull")
    assert sorted(path.name for path in (one.root / "new").iterdir()) == ["one", "two"]
    assert one.git("status", "--porcelain") == ""
    ignored = (one.root / ".gitignore").read_text().splitlines()
    assert {"/data", "/new", "/own_one", "/own_two"} <= set(ignored)
    assert sum("mlops: this block" in line for line in ignored) == 1


def test_a_file_in_place_of_a_folder_is_kept_beside_it(pair: Any) -> None:
    one, two = pair
    one.write({"data/d/x": "one"})
    (one.root / "data/e").chmod(0o755)
    one.commit("data")
    shutil.rmtree(two.root / "data/d")
    two.write({"data/d": "a file now", "data/e": "two"})
    two.commit("data")
    meet(one, two, code=1)
    one.mlops("merge", "--both", "data")
    one.mlops("pull")
    assert (one.root / "data/d/x").read_text() == "one"
    assert (one.root / "data/d.theirs").read_text() == "a file now"
    assert (one.root / "data/e").read_text() == "two"
    assert os.access(one.root / "data/e", os.X_OK)


def test_where_git_knows_no_driver_one_command_merges_what_it_left(pair: Any) -> None:
    one, two = pair
    one.write({"data/a": "one"})
    one.commit("data")
    two.write({"data/b": "two"})
    two.commit("data")
    one.mlops("hooks", "uninstall")
    assert "CONFLICT" in meet(one, two, code=1)
    refused = one.mlops("status", code=40)
    assert refused["hint"] == "mlops merge"
    assert one.mlops("merge")["decided"] == ["data.mlops"]
    one.git("commit", "-qm", "merged")
    one.mlops("pull")
    assert (one.root / "data/a").read_text() + (one.root / "data/b").read_text() == "onetwo"


def test_listings_come_from_the_remote_and_without_it_the_merge_is_done_later(pair: Any) -> None:
    one, two = pair
    one.write({"data/d/x": "one"})
    one.commit("data")
    two.write({"data/d/y": "two"})
    two.commit("data")
    store = one.root.parent / "store"
    two.git("push", "-q", "origin", "yours")
    store.rename(store.with_name("away"))
    said = meet(one, two, code=1)
    assert "could not be merged file by file" in said
    assert one.undecided() == {"data": "both sides changed it"}
    store.with_name("away").rename(store)
    assert one.mlops("merge")["conflicts"] == []
    assert one.git("status", "--porcelain") == "M  data.mlops\n"


def test_a_step_that_both_ran_keeps_both_locks_and_run_decides(pair: Any) -> None:
    one, two = pair
    pipeline = (
        "version: 1\nproject: {name: pair}\nsteps:\n"
        "  count: {cmd: cp params.yaml out.txt, params: ['params.yaml:n'], outs: [out.txt]}\n"
    )
    one.write({"pipeline.yaml": pipeline, "params.yaml": "n: 1\n"})
    one.git("add", "-A")
    one.git("commit", "-qm", "a pipeline", "--no-verify")
    one.mlops("run")
    one.git("push", "-q", "origin", "HEAD:yours")
    two.git("pull", "-q", "origin", "yours")
    for person, n in ((one, 2), (two, 3)):
        person.write({"params.yaml": f"n: {n}\n"})
        assert "param" in person.git("commit", "-qam", "another n", code=1)
        person.git("commit", "-qam", "another n", "--no-verify")
        person.mlops("run")
    assert ".mlops/lock/count.json" in meet(one, two, code=1)
    lock = one.pointer(".mlops/lock/count.json")
    assert lock["key"] != lock["theirs"]["key"]
    one.git("checkout", "--theirs", "params.yaml")
    one.git("add", "params.yaml")
    assert one.undecided() == {"count": "both sides ran it, and not alike"}
    assert one.mlops("status")["pipeline"]["rows"][0]["name"] == "count"
    ran = one.mlops("run", "--no-commit", "count")
    assert [step["did"] for step in ran["steps"]] in (["ran"], ["restored"])
    assert one.mlops("merge")["decided"] == [".mlops/lock/count.json"]
    one.git("commit", "-qm", "merged")
    decided = one.pointer(".mlops/lock/count.json")
    assert decided["key"] == lock["theirs"]["key"] and "theirs" not in decided
    assert (one.root / "out.txt").read_text() == "n: 3\n"
