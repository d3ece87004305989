"""`mlops models card`: a head that the Hub reads, people's words, recorded facts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git

WORDS = """\
---
license: Apache-2.0
tags: [weather]
owner: ada
library_name: onnx
model-index: [{name: a lie}]
---

# Storm

Tells which days are late.
"""
HOSTILE = "r|oc\n---\n<script>alert(1)</script>`x`[a](javascript:b)\x1b[2J"


@pytest.fixture
def carded(repo: Path, git: Callable[..., str]) -> Callable[..., None]:
    """carded(words): a repository with a card and one version whose metrics have hostile names."""

    def make(words: str | bytes) -> None:
        (repo / "models").mkdir(exist_ok=True)
        data = words if isinstance(words, bytes) else words.encode()
        (repo / "models/storm.md").write_bytes(data)
        git("add", ".")
        git("commit", "-q", "-m", "first")
        payload = {
            "digest": f"sha256:{1:064x}",
            "bundle": f"sha256:{2:064x}",
            "dataset": f"sha256:{3:064x}",
            "format": "onnx",
            "metrics": {"roc_auc": 0.71, HOSTILE: 0.5, "none": None},
            "inputs": [{"name": HOSTILE, "dtype": "FP32"}],
            "outputs": [{"name": "probability", "dtype": "FP32"}],
            "created": "2013-02-01T00:00:00.000Z",
            "actor": "Ada <ada@example.org>",
        }
        Registry(Git(repo)).create("storm", payload)

    return make


def read(markdown: str) -> tuple[dict[str, Any], str]:
    _, head, body = markdown.split("---\n", 2)
    return yaml.safe_load(head), body


def test_peoples_words_win_where_they_are_theirs_and_facts_elsewhere(
    mlops: Any, assert_valid: Any, carded: Any, repo: Path
) -> None:
    carded(WORDS)
    shown = mlops("models", "card", "storm", "--out", "README.md", "--json", code=0)
    assert_valid(shown.json)
    text = (repo / "README.md").read_text()
    assert text == shown.data["markdown"]
    head, body = read(text)
    assert head == shown.data["head"]
    assert head["license"] == "apache-2.0" and head["owner"] == "ada"
    assert head["tags"] == ["weather", "onnx", "mlops"]
    assert head["pipeline_tag"] == "tabular-classification"
    (index,) = head["model-index"]
    assert index["name"] == "storm", "what is recorded, not what was written"
    (result,) = index["results"]
    assert result["dataset"]["revision"] == f"sha256:{3:064x}"
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"roc_auc": 0.71, HOSTILE: 0.5}
    assert head["mlops"]["version"] == "storm@v1"
    assert body.startswith("\n# Storm\n\nTells which days are late.\n\n## Version 1")
    assert "<script>" not in body and "`x`" not in body and "\n---" not in body
    screen = mlops("models", "card", "storm", code=0).stdout
    assert "\x1b" not in screen


def test_the_parser_of_the_hub_reads_the_card(mlops: Any, carded: Any, repo: Path) -> None:
    carded(WORDS)
    mlops("models", "card", "storm", "--out", "README.md", code=0)
    program = (
        "import json, sys\nfrom huggingface_hub import ModelCard\n"
        "card = ModelCard.load('README.md')\n"
        "print(json.dumps([card.data.license, card.data.model_name, card.text[:9],"
        " [[r.metric_type, r.metric_value, r.dataset_revision] for r in card.data.eval_results]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=repo,
        env={"HOME": str(repo), "PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named 'huggingface_hub'" in done.stderr:
        pytest.skip("huggingface_hub is not installed")
    assert done.returncode == 0, done.stderr
    import json

    license, name, words, results = json.loads(done.stdout)
    assert (license, name, words.strip()) == ("apache-2.0", "storm", "# Storm")
    assert ["roc_auc", 0.71, f"sha256:{3:064x}"] in results


@pytest.mark.parametrize(
    "head",
    [
        "---\na: [unclosed\n---\nbody",
        "---\na: &x [1]\nb: *x\n---\nbody",
        "---\n- a list\n---\nbody",
        "---\nno end",
        "---\n!!python/object/apply:os.system ['touch ran']\n---\nbody",
        "---\n" + "[" * 5000 + "\n---\nbody",
        b"\xff\xfe---\nbody",
    ],
)
def test_a_head_that_is_no_yaml_is_told_and_the_card_stands(
    mlops: Any, carded: Any, repo: Path, head: str | bytes
) -> None:
    carded(head)
    result = mlops("models", "card", "storm", "--json", code=0)
    found, _ = read(result.data["markdown"])
    assert found["mlops"]["version"] == "storm@v1"
    assert bool(result.json["warnings"]) == isinstance(head, str)
    assert not (repo / "ran").exists()
