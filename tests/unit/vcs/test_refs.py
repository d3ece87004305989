"""Files on a ref that is never checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.vcs import ledger_refs, refs
from mlops_cli.vcs.repo import Git

REF = "refs/mlops/ledger/w"


def clone(path: Path, remote: Path | None = None) -> Git:
    git = Git.init(path)
    git.run("config", "user.name", "Ada")
    git.run("config", "user.email", "ada@example.com")
    git.run("config", "commit.gpgsign", "false")
    if remote is not None:
        git.run("remote", "add", "origin", str(remote))
    return git


def test_appended_files_are_read_back_and_history_is_linear(tmp_path: Path) -> None:
    git = clone(tmp_path)
    first = refs.append(git, REF, {"records/a/1.json": b"one", "bin": bytes(range(256))}, "m")
    second = refs.append(git, REF, {"records/a/2.json": b"two\n\n"}, "m2")
    assert refs.read_tree(git, REF) == {
        "records/a/1.json": b"one",
        "bin": bytes(range(256)),
        "records/a/2.json": b"two\n\n",
    }
    assert git.run("rev-list", REF).split() == [second, first]
    assert refs.tips(git, "refs/mlops/") == {REF: second}
    assert list(refs.log_new(git, REF, first)) == ["records/a/2.json"]
    assert list(refs.log_new(git, REF, second)) == []
    assert len(refs.log_new(git, REF, "f" * 40)) == 3


def test_no_ref_is_an_empty_tree(tmp_path: Path) -> None:
    git = clone(tmp_path)
    assert refs.read_tree(git, REF) == {}
    assert refs.tip(git, REF) is None


def test_two_clones_exchange_their_ledgers_without_overwriting(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    Git.init(tmp_path / "seed").run("init", "-q", "--bare", str(bare))
    one, two = clone(tmp_path / "1", bare), clone(tmp_path / "2", bare)
    refs.append(one, refs.LEDGER + "one", {"a": b"1"}, "m")
    refs.append(two, refs.LEDGER + "two", {"b": b"2"}, "m")
    ledger_refs.push(one, "origin")
    assert list(ledger_refs.fetch(two, "origin")) == [refs.LEDGER + "one"]
    ledger_refs.push(two, "origin")
    assert list(ledger_refs.fetch(one, "origin")) == [refs.LEDGER + "two"]
    assert refs.tips(one, refs.LEDGER) == refs.tips(two, refs.LEDGER)
    # records not sent yet survive a fetch
    ahead = refs.append(one, refs.LEDGER + "one", {"c": b"3"}, "m")
    assert ledger_refs.fetch(one, "origin") == {}
    assert refs.tip(one, refs.LEDGER + "one") == ahead


def test_one_name_for_two_writers_becomes_two_when_sent(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    Git.init(tmp_path / "seed").run("init", "-q", "--bare", str(bare))
    one, two = clone(tmp_path / "1", bare), clone(tmp_path / "2", bare)
    refs.append(one, REF, {"a": b"1"}, "m")
    refs.append(two, REF, {"b": b"2"}, "m")
    two.run("config", "mlops.writer", "w")
    ledger_refs.push(one, "origin")
    ledger_refs.push(two, "origin")
    ledger_refs.fetch(one, "origin")
    assert refs.tips(one, refs.LEDGER) == refs.tips(two, refs.LEDGER)
    assert len(refs.tips(one, refs.LEDGER)) == 2
    assert refs.read_tree(two, REF) == {"a": b"1"}
    assert refs.read_tree(two, refs.LEDGER + two.run("config", "mlops.writer")) == {"b": b"2"}


def test_tags_are_created_once_listed_with_their_payload_and_exchanged(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from mlops_cli.vcs import tagging, tags, tagsync
    from mlops_cli.vcs.tags import Tag, Unreadable

    when = datetime(2013, 2, 1, tzinfo=UTC)
    bare = tmp_path / "bare"
    Git.init(tmp_path / "seed").run("init", "-q", "--bare", str(bare))
    one, two = clone(tmp_path / "1", bare), clone(tmp_path / "2", bare)

    def create(git: Git, name: str, payload: object) -> bool:
        return tagging.place(git, name, tagging.make(git, name, payload, subject="s", time=when))

    with pytest.raises(StateRefused) as refused:
        create(one, "mlops/m/v1", {})
    assert refused.value.code == "no-commit"
    for git in (one, two):
        git.run("commit", "-q", "--allow-empty", "-m", "first")
    payload = {"text": "ü\n\n\\0", "n": 1}
    assert create(one, "mlops/m/v1", payload)
    assert not create(one, "mlops/m/v1", {"n": 2})
    one.run("tag", "mlops/m/light")
    light, tag = tags.listing(one, "mlops/m/")
    assert isinstance(light, Unreadable) and "lightweight" in light.why
    assert isinstance(tag, Tag)
    assert (tag.name, tag.value(), tag.target) == ("mlops/m/v1", payload, one.head().commit)
    assert tag.id == one.run("rev-parse", "mlops/m/v1")
    assert one.run("for-each-ref", "--format=%(taggerdate:iso-strict)", "refs/tags/mlops/m/v1") == (
        "2013-02-01T00:00:00+00:00"
    )
    assert tags.one(one, "mlops/m/v1") == tag and tags.one(one, "mlops/m/v") is None
    one.run("tag", "-d", "mlops/m/light")
    tagsync.push(one, "origin")
    tagsync.fetch(two, "origin")
    assert tags.listing(two, "mlops/")[0].id == tag.id
    create(one, "mlops/m/v2", {"n": 2})
    create(two, "mlops/m/v2", {"n": 3})
    create(two, "mlops/other/v1", {"n": 3})
    tagsync.push(one, "origin")
    for exchange in (tagsync.push, tagsync.fetch):
        with pytest.raises(IntegrityError) as taken:
            exchange(two, "origin")
        assert taken.value.code == "tag-taken"
        assert taken.value.details["tags"] == ["mlops/m/v2"]
    assert "mlops/other/v1" in Git(bare).run("for-each-ref"), "other models are sent all the same"
    (kept,) = tags.listing(two, "mlops/m/v2")
    assert isinstance(kept, Tag) and kept.value() == {"n": 3}
