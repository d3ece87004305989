"""Tags that lie, are huge, forced, deleted or of another kind cost themselves and nothing else."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, StateRefused, UsageError
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.registry import records
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.roots import roots
from mlops_cli.registry.verify import confirm, verify
from mlops_cli.vcs import exchange
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)


def payload(n: int, **more: Any) -> dict[str, Any]:
    return {
        "digest": f"sha256:{n:064x}",
        "bundle": f"sha256:{n + 1000:064x}",
        "format": "onnx",
        "created": "2013-02-01T00:00:00.000Z",
        "actor": "Grace <grace@example.com>",
        **more,
    }


def moved(registry: Registry, version: int | None, **more: Any) -> Any:
    words = {"policy": {}, "evidence": {}, "actor": "Ada", "reason": "test", "time": WHEN} | more
    return registry.move("delay", "production", version, **words)


def tagged(git: Git, name: str, value: Any, *, force: bool = False) -> None:
    """Make an annotated tag as somebody with push rights and no mlops could."""
    text = value if isinstance(value, str) else json.dumps(value)
    git.run("tag", *(["-f"] if force else []), "-a", "-F", "-", name, input=f"x\n\n{text}\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three versions of one model and one of another."""
    git = Git.init(tmp_path_factory.mktemp("made") / "repo")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
        git.run("config", name, value)
    git.run("commit", "-q", "--allow-empty", "-m", "first")
    registry = Registry(git)
    for n in (1, 2, 3):
        registry.create("delay", payload(n))
    registry.create("storm", payload(9))
    return git.root


@pytest.fixture
def registry(made: Path, tmp_path: Path) -> Registry:
    return Registry(Git(Path(shutil.copytree(made, tmp_path / "repo"))))


LIES: dict[str, Any] = {
    "another model": {**payload(4), "model": "storm", "version": 4},
    "true for one": {**payload(4), "model": "delay", "version": True},
    "no digest": {**payload(4), "digest": "sha256:../../etc", "model": "delay", "version": 4},
    "a digest of another kind": {**payload(4), "digest": 7, "model": "delay", "version": 4},
    "a bundle that is no digest": {**payload(4), "bundle": "x", "model": "delay", "version": 4},
    "no time": {**payload(4), "created": "soon", "model": "delay", "version": 4},
    "metrics that are words": {**payload(4, metrics="good"), "model": "delay", "version": 4},
    "inputs that are a number": {**payload(4, inputs=3), "model": "delay", "version": 4},
    "an attestation that is none": {**payload(4, attestation=True), "model": "delay", "version": 4},
    "a parity of words": {**payload(4, parity="\x1b[2J"), "model": "delay", "version": 4},
    "a list": [1, 2],
    "words": "just words",
    "not a number": '{"model":"delay","version":4,"metrics":{"a":NaN}}',
    "a nesting without end": "[" * 100_000,
    "a number without end": '{"model":"delay","version":' + "9" * 5000 + "}",
}


def test_payloads_that_lie_are_refused_by_name_and_the_others_answer(registry: Registry) -> None:
    for number, lie in enumerate(LIES.values(), start=4):
        said = {**lie, "version": number} if isinstance(lie, dict) and lie["version"] == 4 else lie
        tagged(registry.git, f"mlops/delay/v{number}", said)
    last = 3 + len(LIES)
    for number in range(4, last + 1):
        with pytest.raises(IntegrityError) as refused:
            registry.resolve(f"delay@v{number}")
        assert f"mlops/delay/v{number}" in refused.value.message
        assert refused.value.exit_code == 40
    with pytest.raises(IntegrityError):
        registry.resolve("delay")
    assert registry.resolve("delay@v3").number == 3
    assert registry.resolve("storm").number == 1
    assert set(verify(registry.git)[1]) == {f"mlops/delay/v{n}" for n in range(4, last + 1)}
    assert [v.number for v in registry.versions("delay")] == [1, 2, 3]
    assert registry.create("delay", payload(5)).number == last + 1, "no number is given twice"


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("action", "x\x1b[2J<b>"), ("action", 7), ("actor", [1]), ("reason", {}), ("time", "soon"),
        ("policy", 7), ("policy", ["x"]), ("payload", "x"), ("former", "1"), ("version", True),
        ("digest", None), ("rules", 7), ("rules", "x"), ("rules", [{"name": "golden"}]),
        ("approvals", [1]), ("parents", ["x"]), ("policy_from", {"commit": 7}),
    ],
)  # fmt: skip
def test_an_event_that_lies_is_refused_by_name(registry: Registry, name: str, lie: Any) -> None:
    sound = dict(moved(registry, 1).payload)
    moved(registry, None)
    registry.git.run("tag", "-d", "mlops/delay/@production/1")
    assert sound[name] is not lie
    tagged(registry.git, "mlops/delay/@production/1", sound | {name: lie})
    with pytest.raises(IntegrityError) as refused:
        registry.alias("delay", "production")
    assert refused.value.code == "damaged-alias"
    assert f"@production/1 says {name}" in refused.value.message
    assert "\x1b" not in refused.value.message
    assert "mlops/delay/@production/1" in verify(registry.git)[1]


def test_a_tag_of_ten_megabytes_is_refused_before_it_is_read(registry: Registry) -> None:
    body = payload(4) | {"model": "delay", "version": 4, "words": "x" * 10_000_000}
    tagged(registry.git, "mlops/delay/v4", body)
    with pytest.raises(IntegrityError) as refused:
        registry.resolve("delay@v4")
    assert refused.value.code == "unreadable-tag" and "is not read" in refused.value.message
    assert registry.resolve("delay@v3").number == 3
    assert bytes.fromhex(f"{3:064x}") in roots(registry.git).digests
    with pytest.raises(StateRefused) as large:
        registry.create("delay", payload(5, words="x" * 600_000))
    assert large.value.code == "payload-too-large"


def test_a_lightweight_tag_holds_its_number_and_is_no_version(registry: Registry) -> None:
    registry.git.run("tag", "mlops/delay/v4")
    with pytest.raises(IntegrityError) as refused:
        registry.resolve("delay@v4")
    assert "lightweight" in refused.value.message
    assert registry.create("delay", payload(5)).number == 5


def test_a_tag_under_another_name_is_not_taken_for_it(registry: Registry) -> None:
    one = registry.git.run("rev-parse", "refs/tags/mlops/delay/v1")
    registry.git.run("update-ref", "refs/tags/mlops/delay/v4", one)
    with pytest.raises(IntegrityError) as refused:
        registry.resolve("delay@v4")
    assert "mlops/delay/v1" in refused.value.message


def test_a_tag_whose_bytes_git_lost_or_whose_ref_is_garbage_is_named(registry: Registry) -> None:
    git = registry.git
    lost = git.run("rev-parse", "refs/tags/mlops/delay/v1")
    loose = git.git_dir / "objects" / lost[:2] / lost[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"garbage")
    (git.git_dir / "refs/tags/mlops/delay/v2").write_text("garbage\n")
    assert registry.resolve("delay@v3").number == 3
    assert set(registry.of("delay").damaged) == {"mlops/delay/v1", "mlops/delay/v2"}
    for name in ("delay@v1", "delay@v2"):
        with pytest.raises(IntegrityError):
            registry.resolve(name)
    assert set(verify(git)[1]) == {"mlops/delay/v1", "mlops/delay/v2"}


def test_a_forged_event_breaks_the_chain_and_other_aliases_answer(registry: Registry) -> None:
    moved(registry, 1)
    forged = {"model": "delay", "alias": "production", "event": 2, "version": 3,
              "digest": payload(3)["digest"], "previous": None,
              "time": "2013-02-01T00:00:00Z"}  # fmt: skip
    registry.move("delay", "staging", 2, policy={}, evidence={}, actor="a", reason="", time=WHEN)
    tagged(registry.git, "mlops/delay/@production/2", forged)
    with pytest.raises(IntegrityError) as broken:
        registry.resolve("delay@production")
    assert broken.value.code == "alias-chain-broken"
    assert registry.resolve("delay@staging").number == 2
    with pytest.raises(IntegrityError):
        moved(registry, 2)


def test_an_event_that_names_another_model_than_its_version_is_refused(registry: Registry) -> None:
    lie = {
        "model": "delay",
        "alias": "production",
        "event": 1,
        "version": 1,
        "digest": payload(2)["digest"],
        "previous": None,
        "time": "2013-02-01T00:00:00Z",
    }
    tagged(registry.git, "mlops/delay/@production/1", lie)
    with pytest.raises(IntegrityError) as refused:
        registry.resolve("delay@production")
    assert refused.value.code == "alias-chain-broken"
    assert "mlops/delay/@production/1" in verify(registry.git)[1]


def test_a_deleted_newest_event_is_known_to_the_ledger(registry: Registry) -> None:
    ledger = open_ledger(registry.git)
    moved(registry, 1, actor=str(registry.git.identity()))
    last = moved(registry, 2, actor=str(registry.git.identity()))
    records.settle(registry, ledger, "delay")
    registry.git.run("tag", "-d", last.tag)
    version = registry.resolve("delay@production")
    with open_index(registry.git) as index, pytest.raises(IntegrityError) as gap:
        confirm(index, version, registry.alias("delay", "production"))
    assert "event 2 of delay@production is missing" in gap.value.message
    assert "it is not here" in verify(registry.git)[1][last.tag]


def test_a_forced_tag_is_held_against_what_the_ledger_knew(registry: Registry) -> None:
    ledger = open_ledger(registry.git)
    registry.create("delay", payload(4, actor=str(registry.git.identity())))
    records.settle(registry, ledger, "delay")
    other = {**registry.version("delay", 4).payload, "digest": payload(6)["digest"]}
    tagged(registry.git, "mlops/delay/v4", other, force=True)
    version = registry.resolve("delay@v4")
    with open_index(registry.git) as index, pytest.raises(IntegrityError) as forced:
        confirm(index, version, None)
    assert forced.value.code == "tag-moved"
    assert "it was moved" in verify(registry.git)[1]["mlops/delay/v4"]


def test_what_a_dead_process_owed_the_ledger_is_made_up_for_once(registry: Registry) -> None:
    git, ledger = registry.git, open_ledger(registry.git)
    me = str(git.identity())
    registry.create("delay", payload(4, actor=me))
    moved(registry, 4, actor=me, parents=("sha256:" + "5" * 64,))
    assert len(records.settle(registry, ledger, "delay")) == 2, "of Ada alone, not of others"
    assert records.settle(registry, ledger, "delay") == []
    with open_index(git) as index:
        (made,) = index.newest("register", model="delay", number=4)
        (promoted,) = index.newest("promotion", model="delay", number=4)
    assert made["tag_object"] == registry.version("delay", 4).tag_id
    assert promoted["parents"] == ["sha256:" + "5" * 64]


HOSTILE = [
    *("../x", "a/../b", "a\x1b[31m", "a\nb", "-x", "--force", "é", "a^b", "a~1", "a:b", "a?b"),
    *("a*b", "a[b", "a\\b", "@{", "a@{b", ".a", "a.", "v7", "refs/heads/main", "x" * 101, ""),
]


def test_hostile_names_are_refused_wherever_they_are_given(registry: Registry) -> None:
    for name in HOSTILE:
        for call in (
            lambda name: registry.create(name, payload(7)),
            registry.resolve,
            lambda name: registry.alias("delay", name),
        ):
            with pytest.raises(MlopsError) as refused:
                call(name)
            assert refused.value.exit_code == 2
            assert "\x1b" not in refused.value.message


def test_a_name_that_ends_before_its_alias_is_not_the_newest(registry: Registry) -> None:
    """What `delay@$ALIAS` is where the variable is empty."""
    with pytest.raises(MlopsError) as refused:
        registry.resolve("delay@")
    assert (refused.value.code, refused.value.exit_code) == ("bad-name", 2)


def test_a_digest_names_a_version_by_its_beginning(registry: Registry) -> None:
    registry.create("delay", payload(0xABCD << 200))
    whole = registry.resolve("delay@v4").digest
    assert registry.resolve(f"delay@{whole}").number == 4
    assert registry.resolve(f"delay@{whole[:23]}").number == 4
    with pytest.raises(UsageError) as several:
        registry.resolve("delay@sha256:0000")
    assert several.value.code == "ambiguous-digest"
    for text, code in (("delay@sha256:ffff", "unknown-version"), ("delay@sha256:x", "bad-digest")):
        with pytest.raises(MlopsError) as refused:
            registry.resolve(text)
        assert refused.value.code == code


def test_a_clone_without_tags_says_how_to_get_them(git: Git, tmp_path: Path) -> None:
    registry = Registry(git)
    registry.create("delay", payload(1))
    moved(registry, 1)
    git.run("commit", "-q", "--allow-empty", "-m", "later")
    words = ("clone", "-q", "--depth", "1", "--no-tags", f"file://{git.root}")
    git.run(*words, str(tmp_path / "shallow"))
    shallow = Git(tmp_path / "shallow")
    with pytest.raises(NotFound) as missing:
        Registry(shallow).resolve("delay@production")
    assert "git fetch origin 'refs/tags/mlops/*:refs/tags/mlops/*'" in str(missing.value.hint)
    exchange.receive(shallow, "origin")
    assert Registry(shallow).resolve("delay@production").number == 1


def test_clocks_that_run_backwards_do_not_order_events(registry: Registry) -> None:
    from mlops_cli.cli.commands.models import _in_order, _move

    for n in (1, 2, 3):
        moved(registry, n, time=WHEN - timedelta(days=n))
    events = registry.events("delay", "production")
    assert registry.resolve("delay@production").number == 3
    assert [e["version"] for e in _in_order([[_move(event) for event in events]])] == [1, 2, 3]


def test_the_loser_of_two_clones_is_told_who_won_and_when(git: Git, tmp_path: Path) -> None:
    git.run("clone", "-q", "--bare", str(git.root), str(tmp_path / "bare"))
    clones = []
    for name in ("Ada", "Grace"):
        git.run("clone", "-q", str(tmp_path / "bare"), str(tmp_path / name))
        clone = Git(tmp_path / name)
        clone.run("config", "user.name", name)
        clone.run("config", "user.email", f"{name}@example.com")
        clones.append(Registry(clone, "origin"))
    ada, grace = clones
    assert [ada.create("delay", payload(1)).number, grace.create("delay", payload(2)).number] == [
        1,
        2,
    ]
    assert grace.create("delay", payload(1)).number == 1, "one digest is one version, anywhere"
    moved(ada, 1, actor="Ada", expected=0)
    with pytest.raises(StateRefused) as lost:
        moved(grace, 2, actor="Grace", expected=0)
    assert lost.value.code == "alias-moved"
    assert lost.value.details["actor"] == "Ada" and "2013-02-01T00:00" in lost.value.message
    bare = Git(tmp_path / "bare")
    listed = bare.run("for-each-ref", "--format=%(refname:lstrip=3)", "refs/tags/mlops/")
    assert listed.split() == ["delay/@production/1", "delay/v1", "delay/v2"]


def test_a_remote_that_cannot_be_reached_gives_no_number(registry: Registry) -> None:
    registry.git.run("remote", "add", "origin", str(registry.git.root / "nowhere"))
    with pytest.raises(MlopsError) as refused:
        Registry(registry.git, "origin").create("delay", payload(7))
    assert (refused.value.exit_code, refused.value.code) == (50, "registry-unreachable")
    assert "registry.share" in str(refused.value.hint)
    assert len(registry.numbers("delay")) == 3
