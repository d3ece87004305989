"""Another repository at any revision: what is fetched, what needs no network, what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.vcs import address, elsewhere, objects
from mlops_cli.vcs.elsewhere import Elsewhere
from mlops_cli.vcs.repo import Git


def made(path: Path) -> Git:
    git = Git.init(path)
    for name, value in (
        ("user.name", "Ada"),
        ("user.email", "ada@example.com"),
        ("commit.gpgsign", "false"),
    ):
        git.run("config", name, value)
    git.run("symbolic-ref", "HEAD", "refs/heads/main")
    return git


def committed(git: Git, files: dict[str, str]) -> str:
    for name, text in files.items():
        (git.root / name).parent.mkdir(parents=True, exist_ok=True)
        (git.root / name).write_text(text)
    git.run("add", ".")
    git.run("commit", "-q", "-m", "more")
    return git.rev_parse("HEAD")


def look(git: Git, revision: str | None = None) -> Elsewhere:
    where = address.parse(str(git.root), start=Path("/"))
    return elsewhere.look(where, revision, mirrors=git.root.parent / "mirrors")


def test_a_branch_a_tag_a_commit_and_a_short_id_are_found(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    first = committed(git, {"a": "1"})
    git.run("tag", "-m", "one", "v1")
    second = committed(git, {"a": "2"})
    assert look(git).commit == look(git, "main").commit == look(git, "HEAD").commit == second
    assert look(git, "v1").commit == look(git, first).commit == look(git, first[:8]).commit == first
    assert look(git, "HEAD~1").commit == first


def test_only_the_files_that_are_asked_for_are_fetched_and_all_at_once(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    committed(git, {"a": "1", "b": "2", "c": "3"})
    there = look(git)
    ids = {name: git.run("rev-parse", f"HEAD:{name}") for name in "abc"}
    assert there._lacking() == set(ids.values())

    there.bring([ids["a"], ids["b"]])

    assert there._lacking() == {ids["c"]}
    assert [one.data for one in objects.read(there.git, [ids["a"], ids["b"]]) if one] == [
        b"1",
        b"2",
    ]


def test_a_mirror_that_was_damaged_is_made_anew(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    committed(git, {"a/b": "1"})
    there = look(git)
    for pack in (there.git.root / ".git/objects").rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"")
    second = committed(git, {"a/b": "2"})
    assert look(git).commit == second
    assert len(look(git)._lacking()) == 1


def test_a_server_of_the_web_that_refuses_or_has_nothing_is_told_apart(
    tmp_path: Path, web: Any
) -> None:
    where = address.parse(f"{web.url}/x.git", start=tmp_path)
    for status, code in (
        (401, "repository-denied"),
        (403, "repository-denied"),
        (404, "repository-unreachable"),
        (500, "repository-unreachable"),
    ):
        web.statuses = [status] * 4
        with pytest.raises(MlopsError) as caught:
            elsewhere.look(where, None, mirrors=tmp_path / "mirrors")
        assert caught.value.code == code, (status, caught.value.details)


def test_a_commit_that_is_known_asks_nobody(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    commit = committed(git, {"a": "1"})
    look(git)
    git.root.rename(tmp_path / "away")
    there = look(git, commit[:10])
    assert (there.commit, there.stale) == (commit, "")


def test_a_branch_that_cannot_be_asked_for_is_told_as_stale(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    commit = committed(git, {"a": "1"})
    look(git)
    git.root.rename(tmp_path / "away")
    there = look(git, "main")
    assert there.commit == commit and "no repository" in there.stale


def test_a_branch_that_moved_or_went_is_seen(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    first = committed(git, {"a": "1"})
    git.run("branch", "old")
    look(git, "old")
    second = committed(git, {"a": "2"})
    git.run("branch", "-D", "old")
    assert look(git, "main").commit == second != first
    with pytest.raises(NotFound, match="no revision 'old'"):
        look(git, "old")


def test_a_commit_that_no_branch_leads_to_is_asked_for_by_its_id(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    committed(git, {"a": "1"})
    git.run("switch", "-q", "-c", "side")
    lost = committed(git, {"b": "2"})
    git.run("switch", "-q", "main")
    git.run("branch", "-D", "side")
    assert look(git, lost).commit == lost


@pytest.mark.parametrize("revision", ["nope", "-x", "--upload-pack=x", "a\nb", "main:a", "f" * 40])
def test_a_revision_that_is_none_is_named(tmp_path: Path, revision: str) -> None:
    git = made(tmp_path / "src")
    committed(git, {"a": "1"})
    with pytest.raises(NotFound) as caught:
        look(git, revision)
    assert caught.value.code == "unknown-revision" and caught.value.hint


def test_a_repository_without_commits_or_without_a_default_branch_says_so(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    with pytest.raises(NotFound, match="no default branch"):
        look(git)
    commit = committed(git, {"a": "1"})
    git.run("symbolic-ref", "HEAD", "refs/heads/none")
    with pytest.raises(NotFound, match="no default branch"):
        look(git)
    assert look(git, "main").commit == commit


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad-git-url"),
        ("-oProxyCommand=x", "bad-git-url"),
        ("ext::sh -c id", "bad-git-url"),
        ("fd::17", "bad-git-url"),
        ("ssh://-oProxyCommand=x/y", "bad-git-url"),
        ("ssh://me@-oProxyCommand=x/y", "bad-git-url"),
        ("me@-oProxyCommand=x:y", "bad-git-url"),
        ("https://host/x\ny", "bad-git-url"),
        ("ftp://host/x", "bad-git-url"),
        ("file://host/x", "bad-git-url"),
        ("https://me:secret@host/x", "credentials-in-url"),
        ("https://ghp_0123456789abcdefghij@host/x", "credentials-in-url"),
    ],
)
def test_a_hostile_url_is_refused_before_git_sees_it(text: str, code: str) -> None:
    with pytest.raises(MlopsError) as caught:
        address.parse(text, start=Path("/"))
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_each_place_has_one_spelling(tmp_path: Path) -> None:
    for text in (str(tmp_path), f"file://{tmp_path}/", f"{tmp_path}/x/..", "."):
        assert address.parse(text, start=tmp_path).url == str(tmp_path)
    spaced = address.parse(f"file://{tmp_path}/a%20b", start=tmp_path)
    assert spaced.folder == tmp_path / "a b"
    assert address.parse("git@host:x/y.git", start=tmp_path).folder is None
    assert address.parse("ssh://git@host:22/x", start=tmp_path).url == "ssh://git@host:22/x"


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    where = address.parse("http://127.0.0.1:9/x.git", start=tmp_path)
    with pytest.raises(MlopsError) as caught:
        elsewhere.look(where, None, mirrors=tmp_path / "mirrors")
    assert caught.value.code == "repository-unreachable"
    assert caught.value.hint and "ls-remote" in caught.value.hint


def test_a_program_in_a_url_never_runs(tmp_path: Path) -> None:
    git = made(tmp_path / "src")
    committed(git, {"a": "1"})
    there = look(git)
    # also not when the mirror was told so by somebody else, and the person allows it elsewhere
    subprocess.run(
        ["git", "config", "remote.origin.url", f"ext::touch {tmp_path}/ran"], cwd=there.git.root
    )
    there.git.run("config", "protocol.ext.allow", "always")
    assert look(git).stale
    assert not (tmp_path / "ran").exists()
