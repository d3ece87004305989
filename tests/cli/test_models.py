"""`mlops models`: what is registered, and what each name means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)


@pytest.fixture
def registry(repo: Path, git: Callable[..., str]) -> Registry:
    (repo / "models").mkdir()
    (repo / "models" / "delay.md").write_text("# Delay\n\nFor departures from New York.\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    made = Registry(Git(repo))
    for n in (1, 2):
        made.create(
            "delay",
            {
                "digest": f"sha256:{n:064x}",
                "bundle": f"sha256:{n + 9:064x}",
                "run": f"sha256:{n + 99:064x}",
                "format": "onnx",
                "metrics": {"roc_auc": 0.7 + n / 100},
                "inputs": [{"name": "distance", "dtype": "FP32"}],
                "outputs": [{"name": "probability", "dtype": "FP32"}],
                "created": f"2013-02-0{n}T00:00:00.000Z",
                "actor": "Ada <ada@example.org>",
            },
        )
    gates = {"policy": {"gates": ["parity"]}, "evidence": {"parity": {"max_abs": 0, "allowed": 1}}}
    for n in (1, 2):
        made.move("delay", "production", n, **gates, actor="Ada", reason=f"reason {n}",
                  time=WHEN + timedelta(days=n))  # fmt: skip
    return made


def test_list_shows_versions_and_aliases(mlops: Any, assert_valid: Any, registry: Any) -> None:
    result = mlops("models", "list", "--json", code=0)
    assert_valid(result.json)
    (model,) = result.data["models"]
    assert (model["name"], model["versions"]) == ("delay", 2)
    assert model["aliases"]["production"]["version"] == 2
    screen = mlops("models", "list", code=0).stdout
    assert screen.splitlines()[1].split() == [
        "delay", "v2", "2013-02-02", "00:00", "production", "v2", "roc_auc", "0.72",
    ]  # fmt: skip


def test_show_takes_every_name_of_a_version(mlops: Any, assert_valid: Any, registry: Any) -> None:
    for name, number in {"delay": 2, "delay@v1": 1, "delay@production": 2}.items():
        result = mlops("models", "show", name, "--json", code=0)
        assert_valid(result.json)
        assert result.data["version"] == number
    screen = mlops("models", "show", "delay@v2", code=0).stdout
    assert screen.startswith("delay@v2  production\n")
    assert f"sha256:{2:064x}\n" in screen


def test_history_tells_who_when_and_why(mlops: Any, assert_valid: Any, registry: Any) -> None:
    result = mlops("models", "history", "delay", "--json", code=0)
    assert_valid(result.json)
    told = [(event["what"], event["version"]) for event in result.data["events"]]
    assert told == [("registered", 1), ("registered", 2), ("moved", 1), ("moved", 2)]
    assert result.data["events"][3]["previous"] == result.data["events"][2]["digest"]
    screen = mlops("models", "history", "delay@production", code=0).stdout
    assert "production → v2" in screen
    assert "by Ada: reason 2" in screen
    assert "ok  parity" in screen
    assert "registered" not in screen


def test_a_deleted_event_is_an_integrity_error(
    mlops: Any, git: Any, assert_valid: Any, registry: Any
) -> None:
    git("tag", "-d", "mlops/delay/@production/1")
    result = mlops("models", "history", "delay", "--json", code=40)
    assert_valid(result.json)
    assert result.error["code"] == "alias-chain-broken"


def test_the_card_joins_words_and_facts(mlops: Any, assert_valid: Any, registry: Any) -> None:
    result = mlops("models", "card", "delay@production", "--json", code=0)
    assert_valid(result.json)
    markdown = mlops("models", "card", "delay@production", code=0).stdout
    assert "---\n\n# Delay\n\nFor departures from New York.\n" in markdown
    assert "## Version 2 (production)" in markdown
    assert "| roc_auc | 0.72 |" in markdown
    assert "| distance | FP32 |" in markdown


def test_unknown_names_are_told_with_those_there_are(
    mlops: Any, assert_valid: Any, registry: Any
) -> None:
    for words, code in (
        (("show", "dealy"), "unknown-model"),
        (("show", "delay@v7"), "unknown-version"),
        (("history", "delay@canary"), "unknown-alias"),
        (("history", "dealy"), "unknown-model"),
        (("card", "delay@canary"), "unknown-alias"),
    ):
        result = mlops("models", *words, "--json", code=20)
        assert_valid(result.json)
        assert result.error["code"] == code
    assert mlops("models", "show", "../x", "--json", code=2).error["code"] == "bad-name"


def test_no_models_yet(mlops: Any, repo: Path) -> None:
    assert "mlops register" in mlops("models", "list", code=0).stdout
    assert mlops("models", "list", "--json", code=0).data == {"models": []}


def test_an_alias_of_any_name_goes_forth_back_and_away(
    mlops: Any, assert_valid: Any, registry: Any
) -> None:
    made = mlops("models", "alias", "delay@v1", "night-shift", "--json", code=0)
    assert_valid(made.json)
    assert (made.data["moved"], made.data["action"], made.data["event"]) == (True, "set", 1)
    mlops("models", "alias", f"delay@sha256:{2:064x}", "night-shift", code=0)
    assert not mlops("models", "alias", "delay@v2", "night-shift", "--json", code=0).data["moved"]
    dry = mlops("models", "rollback", "delay@night-shift", "--reason", "x", "--dry-run", "--json")
    assert (dry.data["version"], dry.data["event"]) == (1, None)
    words = ("rollback", "delay@night-shift", "--reason", "too slow")
    back = mlops("models", *words, "--json", code=0)
    assert_valid(back.json)
    assert (back.data["version"], back.data["former"], back.data["event"]) == (1, 2, 3)
    gone = mlops("models", "retire", "delay@night-shift", "--reason", "done", "--json", code=0)
    assert_valid(gone.json)
    assert gone.data["version"] is None
    error = mlops("models", "show", "delay@night-shift", "--json", code=20).error
    assert "has no version any more" in error["message"]
    told = mlops("models", "history", "delay@night-shift", code=0).stdout
    assert "night-shift → v1 (rollback)" in told and "by Ada Lovelace: too slow" in told
    assert "night-shift retired" in told
    records = mlops("runs", "search", "--kind", "promotion", "alias=night-shift", "--json").data
    assert len(records["records"]) == 4


def test_a_rollback_repeats_the_verdict_that_it_goes_back_to(mlops: Any, registry: Any) -> None:
    mlops("models", "rollback", "delay@production", "--to", "v1", "--reason", "worse", code=0)
    events = registry.events("delay", "production")
    assert events[2].payload["rules"] == events[0].payload["rules"] != []
    assert events[2].payload["policy"] == events[0].payload["policy"]
    error = mlops("models", "rollback", "delay@production", "--to", "v1", "--reason", "x", "--json",
                  code=30).error  # fmt: skip
    assert error["code"] == "never-promoted"
    mlops("models", "alias", "delay@v2", "fresh", code=0)
    error = mlops("models", "rollback", "delay@fresh", "--reason", "x", "--json", code=30).error
    assert error["code"] == "nothing-before"
    error = mlops("models", "retire", "delay@nothing", "--reason", "x", "--json", code=20).error
    assert error["code"] == "unknown-alias"


def test_diff_tells_metrics_and_tensors_and_what_it_cannot_tell(
    mlops: Any, assert_valid: Any, registry: Any
) -> None:
    result = mlops("models", "diff", "v1", "v2", "--json", code=0)
    assert_valid(result.json)
    told = {(each["section"], each["name"]): (each["old"], each["new"])
            for each in result.data["changes"]}  # fmt: skip
    assert told["metrics", "roc_auc"] == (0.71, 0.72)
    assert ("model", "digest") in told and ("inputs", "distance") not in told
    assert result.data["untold"] == ["data", "code", "params", "environment"]
    screen = mlops("models", "diff", "delay@v1", "production", code=0).stdout
    assert screen.startswith("delay@v1 → delay@v2") and "roc_auc  0.71  →  0.72" in screen
    assert mlops("models", "diff", "delay@v1", "v1", "--json").data["changes"] == []


def test_words_of_others_do_not_steer_the_terminal(mlops: Any, registry: Any) -> None:
    mlops("models", "alias", "delay@v1", "x", "--reason", "a\x1b[2Jb", code=0)
    assert "\x1b" not in mlops("models", "history", "delay@x", code=0).stdout


def test_one_damaged_tag_is_named_and_the_rest_is_told(mlops: Any, git: Any, registry: Any) -> None:
    git("tag", "-f", "mlops/delay/v1")
    git("tag", "mlops/delay/v3")
    git("tag", "mlops/storm/v1")
    listed = mlops("models", "list", "--json", code=0)
    assert "mlops/delay/v3" in str(listed.json["warnings"])
    delay = listed.data["models"][0]
    assert (delay["versions"], delay["newest"]) == (3, None)
    assert delay["aliases"]["production"]["version"] == 2 and "mlops/delay/v3" in delay["damaged"]
    assert mlops("models", "show", "delay@v2", "--json", code=0).data["versions"] == [1, 2, 3]
    assert mlops("models", "show", "delay@v1", "--json", code=40).error["code"] == "unreadable-tag"
    assert len(mlops("models", "history", "delay", "--json", code=40).data["events"]) == 3


def test_push_pull_and_verify_go_on_beside_an_unreadable_tag(
    mlops: Any, git: Any, registry: Any, repo: Path, tmp_path: Path
) -> None:
    git("tag", "-f", "-a", "-m", "x\n\nwords", "mlops/delay/v1")
    mlops("remote", "add", "there", f"file://{tmp_path}/there", code=0)
    (repo / "data").write_text("some\n")
    mlops("add", "data", code=0)
    pushed = mlops("push", "--json", code=0)
    assert pushed.data["objects"] == 1 and "mlops/delay/v1" in str(pushed.json["warnings"])
    pulled = mlops("pull", "--json")  # the bundle that production means is on no remote
    assert pulled.error["code"] == "missing-object" if pulled.code else pulled.data
    assert "mlops/delay/v1" in str(pulled.json["warnings"])
    found = mlops("verify", "--json", code=40).data
    assert "mlops/delay/v1" in found["tags"]["damaged"]
    assert mlops("gc", "--dry-run", "--json", code=0).data["removed"]["objects"] == 0


def test_without_its_remote_nothing_moves_unless_the_clone_is_asked_alone(
    mlops: Any, git: Any, registry: Any, tmp_path: Path
) -> None:
    git("remote", "add", "origin", str(tmp_path / "nowhere"))
    words = ("models", "alias", "delay@v1", "night", "--json")
    error = mlops(*words, code=50).error
    assert error["code"] == "registry-unreachable" and "registry.share" in error["hint"]
    assert registry.events("delay", "night") == []
    mlops("config", "set", "registry.share", "false", code=0)
    assert mlops(*words, code=0).data["moved"]


def test_a_tag_that_was_forced_on_the_remote_does_not_come(
    mlops: Any, git: Any, registry: Any, repo: Path, tmp_path: Path
) -> None:
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare"))
    git("remote", "add", "origin", str(tmp_path / "bare"))
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    git(*who, "tag", "-f", "-a", "-m", "x", "mlops/delay/v1", cwd=tmp_path / "bare")
    git(*who, "tag", "-a", "-m", "x", "mlops/storm/v1", cwd=tmp_path / "bare")
    mlops("remote", "add", "there", f"file://{tmp_path}/there", code=0)
    (repo / "data").write_text("some\n")
    mlops("add", "data", code=0)
    pushed = mlops("push", "--json", code=40)
    assert pushed.error["code"] == "tag-taken"
    assert pushed.error["details"]["tags"] == ["mlops/delay/v1"]
    pulled = mlops("pull", "--json")
    assert "origin has another tag mlops/delay/v1" in str(pulled.json["warnings"])
    assert "mlops/storm/v1" in git("tag"), "the others came"
    assert mlops("models", "show", "delay@v1", "--json", code=0).data["version"] == 1


def test_the_shell_completes_models_versions_and_aliases(
    mlops_process: Any, registry: Any, repo: Path
) -> None:
    def typed(*words: str) -> set[str]:  # as bash hands them over: broken at @ and :
        env = {"_MLOPS_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(("mlops", *words)),
               "COMP_CWORD": str(len(words))}  # fmt: skip
        return set(mlops_process(cwd=repo, env=env).stdout.split())

    assert typed("approve", "de") == typed("promote", "de") == {"delay", "delay@v1", "delay@v2"}
    assert typed("promote", "delay", "@", "v") == {"v1", "v2"}, "what stands there stays there"
    assert typed("promote", "delay", "@", "v2", "pr") == {"production"}
    assert typed("approve", "delay", "--alias", "pr") == {"production"}
    assert typed("models", "rollback", "delay", "@") == {"production"}
    assert typed("models", "retire", "d") == {"delay@production"}
    for words in (("models", "show"), ("models", "card"), ("models", "diff"), ("verify",)):
        assert {"delay", "delay@v1", "delay@production"} <= typed(*words, "d"), words
    assert typed("audit", "delay", "@") == {"v1", "v2"}
