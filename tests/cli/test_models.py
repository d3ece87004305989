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
