"""Versions and aliases are tags: given once, never moved, and a name means exactly one thing."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError, NotFound, StateRefused, UsageError
from mlops_cli.registry.alias import check_chain
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
ADA = "Ada <ada@example.com>"


def payload(n: int, **more: Any) -> dict[str, Any]:
    return {
        "digest": f"sha256:{n:064x}",
        "bundle": f"sha256:{n + 1000:064x}",
        "format": "onnx",
        "run": f"sha256:{n + 2000:064x}",
        "metrics": {"roc_auc": 0.7 + n / 100},
        "created": "2013-02-01T00:00:00.000Z",
        "actor": ADA,
        **more,
    }


def moved(registry: Registry, version: int | None, **more: Any) -> Any:
    words = {"policy": {}, "evidence": {}, "actor": ADA, "reason": "test", "time": WHEN} | more
    return registry.move("delay", "production", version, **words)


def test_versions_are_numbered_and_found_by_every_name(git: Git) -> None:
    registry = Registry(git)
    one = registry.create("delay", payload(1))
    two = registry.create("delay", payload(2))
    assert [v.name for v in registry.versions("delay")] == ["delay@v1", "delay@v2"]
    assert registry.resolve("delay") == two
    assert registry.resolve("delay@v1") == registry.resolve("delay@1") == one
    assert one.payload["schema"] == "mlops.version/1"
    assert one.commit == git.head().commit
    assert one.tag_id == git.run("rev-parse", "mlops/delay/v1")
    assert git.run("tag", "-l", "--format=%(contents:subject)", "mlops/delay/v2") == "delay v2"
    assert registry.models() == ["delay"]


def test_the_same_model_is_registered_once(git: Git) -> None:
    registry = Registry(git)
    one = registry.create("delay", payload(1))
    registry.create("delay", payload(2))
    again = registry.create("delay", payload(1, created="2014-01-01T00:00:00.000Z"))
    assert again == one
    assert registry.find("delay", payload(1)["digest"]) == one


def test_ten_versions_sort_by_number(git: Git) -> None:
    registry = Registry(git)
    for n in range(1, 11):
        registry.create("delay", payload(n))
    assert [v.number for v in registry.versions("delay")] == list(range(1, 11))


RACE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git
registry = Registry(Git(Path(sys.argv[1])))
sys.stdin.readline()
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    print(registry.create("delay", {"digest": f"sha256:{n:064x}", "format": "onnx",
          "bundle": f"sha256:{n:064x}", "created": "2013-02-01T00:00:00Z"}).number)
"""


def race(git: Git, *spans: tuple[int, int]) -> list[list[int]]:
    import mlops_cli

    source = str(__import__("pathlib").Path(mlops_cli.__file__).parents[1])
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(git.root), str(a), str(b), source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for a, b in spans
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [[int(word) for word in racer.communicate()[0].split()] for racer in racers]


def test_two_processes_at_once_get_distinct_numbers(git: Git) -> None:
    numbers = race(git, (0, 6), (100, 106))
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 13))


def test_two_processes_with_the_same_models_get_the_same_versions(git: Git) -> None:
    first, second = race(git, (0, 5), (0, 5))
    assert first == second
    assert sorted(set(first)) == [1, 2, 3, 4, 5]


def test_an_alias_is_a_chain_of_events(git: Git) -> None:
    registry = Registry(git)
    for n in (1, 2):
        registry.create("delay", payload(n))
    assert registry.alias("delay", "production") is None
    first = moved(registry, 1)
    second = moved(registry, 2, policy={"gates": ["clean_tree"]}, evidence={"clean_tree": True})
    assert (second.number, second.version, second.payload["previous"]) == (2, 2, first.digest)
    assert second.payload["rules"][0]["name"] == "clean_tree"
    assert second.payload["policy"].startswith("sha256:")
    assert second.payload["digest"] == payload(2)["digest"]
    assert registry.resolve("delay@production").number == 2
    assert moved(registry, 2) == second  # already there: no further event
    assert moved(registry, 1, reason="rollback").version == 1
    retired = moved(registry, None)
    with pytest.raises(NotFound) as gone:
        registry.resolve("delay@production")
    assert gone.value.code == "unknown-alias"
    events = registry.of("delay").aliases["production"]
    assert [e.version for e in events] == [1, 2, 1, None]
    assert events[-1] == retired
    check_chain(events)


def test_a_deleted_event_breaks_the_chain(git: Git) -> None:
    registry = Registry(git)
    for n in (1, 2):
        registry.create("delay", payload(n))
    for version in (1, 2, 1):
        moved(registry, version)
    git.run("tag", "-d", "mlops/delay/@production/2")
    with pytest.raises(IntegrityError) as broken:
        check_chain(registry.of("delay").aliases["production"])
    assert broken.value.code == "alias-chain-broken"


def test_a_closed_gate_refuses_and_changes_nothing(git: Git) -> None:
    registry = Registry(git)
    registry.create("delay", payload(1))
    with pytest.raises(StateRefused) as closed:
        moved(
            registry,
            1,
            policy={"gates": ["metrics.roc_auc >= 0.9"]},
            evidence={"metrics": {"roc_auc": 0.7}},
        )
    assert closed.value.code == "gate-closed"
    assert "metrics.roc_auc is 0.7" in closed.value.message
    assert registry.alias("delay", "production") is None


def test_the_loser_of_a_race_is_told_who_won(git: Git) -> None:
    registry = Registry(git)
    for n in (1, 2, 3):
        registry.create("delay", payload(n))
    moved(registry, 1)
    moved(registry, 2, actor="Grace <grace@example.com>")
    with pytest.raises(StateRefused) as lost:
        moved(registry, 3, expected=1)
    assert lost.value.code == "alias-moved"
    assert "v2" in lost.value.message
    assert "Grace" in lost.value.message


def test_unknown_names_say_what_there_is(git: Git) -> None:
    registry = Registry(git)
    registry.create("delay", payload(1))
    moved(registry, 1)
    for text, code, known in (
        ("dealy", "unknown-model", "delay"),
        ("delay@v9", "unknown-version", "v1"),
        ("delay@prod", "unknown-alias", "production"),
    ):
        with pytest.raises(NotFound) as missing:
            registry.resolve(text)
        assert missing.value.code == code
        assert known in (missing.value.hint or "")


@pytest.mark.parametrize("name", ["", "v3", "a b", "../x", "a/b", "@x", "-x", "a..b", "a.lock"])
def test_names_that_cannot_be_refs_are_refused(git: Git, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        Registry(git).create(name, payload(1))
    assert refused.value.code == "bad-name"


def test_a_pickle_is_not_registered(git: Git) -> None:
    with pytest.raises(StateRefused) as refused:
        Registry(git).create("delay", payload(1, format="pickle"))
    assert refused.value.code == "format-not-allowed"


def test_a_forged_tag_is_detected(git: Git) -> None:
    git.run("tag", "-a", "-m", 'x\n\n{"model":"other","version":1}', "mlops/delay/v1")
    with pytest.raises(IntegrityError) as forged:
        Registry(git).version("delay", 1)
    assert forged.value.code == "damaged-version"
    git.run("tag", "-d", "mlops/delay/v1")
    git.run("tag", "-a", "-m", "just words", "mlops/delay/v1")
    with pytest.raises(IntegrityError):
        Registry(git).resolve("delay@v1")


def test_signed_tags_keep_their_payload(git: Git) -> None:
    key = git.root.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    git.run("config", "gpg.format", "ssh")
    git.run("config", "user.signingkey", str(key))
    git.run("config", "tag.gpgsign", "true")
    registry = Registry(git)
    made = registry.create("delay", payload(1))
    assert "BEGIN SSH SIGNATURE" in git.run("cat-file", "tag", "mlops/delay/v1")
    assert registry.versions("delay") == [made]
    assert moved(registry, 1).payload["previous"] is None
