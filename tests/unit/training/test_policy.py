"""The policy of an alias comes from the protected branch; nobody brings a policy for oneself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlops_cli.errors import ConfigError, StateRefused
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.reading.load import load
from mlops_cli.pipeline.words.document import parse, plain
from mlops_cli.registry.protected import branch
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.rules.schema import json_schema
from mlops_cli.registry.version import Version
from mlops_cli.training import pledged, policy, policy_file
from mlops_cli.training.policy import Policy
from mlops_cli.vcs.repo import Git

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PIPELINE = """\
version: 1
project: {name: storms, task: binary}
data:
  days: {path: data/days.parquet, key: id, time: at, label: {column: late, known_at: known}}
train:
  storm:
    dataset: {spine: data.days, columns: [wind], split: {by: time, validate: 20%, test: 30%}}
    code: src/train.py:train
models:
  storm:
    from: train.storm
    aliases:
      staging: {gates: [parity]}
      production: {gates: [staging, golden]}
"""
STRICT = "aliases:\n  production:\n    gates: [metrics.roc_auc >= 0.8]\n    approvals: 2\n"
LAX = "aliases:\n  production: {gates: []}\n"


@pytest.fixture
def world(repo: Path, git: Callable[..., str]) -> Path:
    """A repository whose main has pipeline.yaml and no policy of its own."""
    (repo / "src").mkdir()
    (repo / "src/train.py").write_text("def train(): ...\n")
    write(repo, "pipeline.yaml", PIPELINE)
    git("add", "-A")
    git("commit", "-qm", "a project")
    git("branch", "-M", "main")
    return repo


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The same pipeline, read once."""
    root = tmp_path_factory.mktemp("storms")
    write(root, "src/train.py", "def train(): ...\n")
    write(root, "pipeline.yaml", PIPELINE)
    return load(root)


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(text)


def commit(git: Callable[..., str], root: Path, text: str | None, words: str) -> None:
    if text is not None:
        write(root, "models/storm.yaml", text)
        git("add", "models/storm.yaml")
    write(root, "src/train.py", f"def train(): ...  # {words}\n")
    if "model" in words:
        git("add", "src/train.py")
    git("commit", "-q", "--allow-empty", "-m", words)


def register(root: Path) -> Version:
    """Register another model on the commit that is checked out."""
    registry = Registry(Git(root))
    number = len(registry.versions("storm")) + 1
    payload = {"digest": f"sha256:{number:064x}", "format": "onnx", "created": NOW.isoformat()}
    return registry.create("storm", payload)


def of(root: Path, candidate: Version | None = None, alias: str = "production") -> Policy:
    git = Git(root)
    return policy.policy(
        git, load(root), "storm", alias, protected=branch(git, None), candidate=candidate
    )


def move(root: Path, asked: Policy, version: Version) -> Any:
    """Let production mean `version`, every gate taken as open, and return the payload."""
    source = {"file": asked.file, "branch": asked.branch, "commit": asked.commit}
    words: dict[str, Any] = {"actor": "Ada", "reason": "a test", "time": NOW}
    event = Registry(Git(root)).move(
        "storm", "production", version, policy={}, evidence={}, policy_from=source, **words
    )
    return dict(event.payload) | {"policy": str(asked.digest)}


def test_without_a_file_of_its_own_pipeline_yaml_on_main_is_the_policy(world: Path) -> None:
    found = of(world)
    assert (found.file, found.branch) == ("pipeline.yaml", "main")
    staging = {"gates": ["parity"], "approvals": 0}
    asked = {"gates": ["staging", "golden"], "approvals": 0}
    assert found.plain == {**asked, "aliases": {"staging": staging}}
    assert found.notes == ()


def test_models_name_yaml_on_main_is_stronger(world: Path, git: Any) -> None:
    commit(git, world, STRICT, "a policy")
    found = of(world)
    assert (found.file, found.plain["approvals"]) == ("models/storm.yaml", 2)
    assert of(world, alias="staging").plain["gates"] == ["parity"], "what it does not name stays"


def test_a_policy_on_another_branch_or_in_the_work_tree_is_ignored_and_told_of(
    world: Path, git: Any
) -> None:
    commit(git, world, STRICT, "a policy")
    strict = of(world).digest
    git("switch", "-qc", "mine")
    commit(git, world, LAX, "a policy that lets me in")
    candidate = register(world)
    found = of(world, candidate)
    assert found.digest == strict
    assert [note.split(":")[0] for note in found.notes] == ["policy-ignored"] * 2
    assert "storm@v1" in found.notes[1]
    write(world, "models/storm.yaml", "aliases: [broken")
    with pytest.raises(ConfigError, match=r"models/storm\.yaml:2:1:"):
        of(world)


def test_a_new_alias_of_a_branch_says_that_nobody_protects_it(world: Path, git: Any) -> None:
    git("switch", "-qc", "mine")
    commit(git, world, "aliases:\n  trial: {gates: [golden]}\n", "an alias")
    found = of(world, alias="trial")
    assert found.branch is None and found.notes[0].startswith("policy-unprotected: main has none")


def test_the_commit_of_a_candidate_may_not_change_what_is_asked_of_it(
    world: Path, git: Any
) -> None:
    commit(git, world, STRICT, "a policy")
    commit(git, world, LAX, "a model, and what is asked of it")
    candidate = register(world)
    with pytest.raises(StateRefused) as refused:
        of(world, candidate)
    assert refused.value.code == "policy-of-candidate"
    commit(git, world, None, "another model")
    assert of(world, register(world)).plain["gates"] == []
    commit(git, world, STRICT, "as it was")
    assert of(world, register(world)).plain["approvals"] == 2, "a commit of the policy alone"
    assert of(world, candidate).plain["approvals"] == 2, "main decides, whatever it brought"


def test_the_policy_that_an_event_names_is_held_against_the_branch(world: Path, git: Any) -> None:
    commit(git, world, STRICT, "a policy")
    candidate = register(world)
    strict = of(world, candidate)
    payload = move(world, strict, candidate)

    def wrong(**lies: Any) -> str | None:
        return pledged.policies(branch(Git(world), None))(payload | lies)

    assert wrong() is None
    commit(git, world, LAX, "later it asks for less")
    assert wrong() is None, "it was judged by the policy of its time"
    assert "something else" in str(wrong(policy=str(of(world).digest)))
    commit(git, world, "aliases: {production: {gates: [a]}, a: {gates: [production]}}\n", "round")
    circle = {"commit": git("rev-parse", "HEAD").strip()}
    assert "lead back to themselves: production → a → production" in str(wrong(policy_from=circle))
    commit(git, world, LAX, "and straight again")
    assert "does not say" in str(wrong(policy_from=None))
    git("switch", "-qc", "mine", "main~1")
    commit(git, world, "aliases: {production: {gates: [golden]}}\n", "mine alone")
    mine = git("rev-parse", "HEAD").strip()
    told = {"file": "models/storm.yaml", "commit": mine}
    assert f"main does not hold {mine[:12]}" in str(wrong(policy_from=told))
    assert wrong(version=None, policy_from=None) is None, "retired: nothing was asked"


# 9 ** 13 zeros in 700 bytes
BOMB = "a0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 13)
)
BAD = [
    ("aliases: {production: {gates: [goldn]}}", 1, 32, "unknown-rule"),
    ("aliases:\n  production:\n    gates:\n      - {slices: origin, on: auc}", 4, 30, "metric"),
    (
        "aliases:\n  p:\n    gates:\n      - {better_than: p, on: brier, alfa: 1}",
        4,
        37,
        "unknown",
    ),
    ("aliases: {p: {gates: [{better_than: q, on: brier}]}}", 1, 37, "unknown-reference"),
    ("aliases: {p: {gates: [metrics.rmse < 3]}}", 1, 23, "metric-does-not-fit-task"),
    ("aliases: {p: {gates: [{drift_quiet: prod}]}}", 1, 37, "unknown-reference"),
    ("aliases: {p: {gates: [{data_valid: [planes]}]}}", 1, 36, "unknown-reference"),
    ("aliases: {p: {gates: [{slices: wind, on: brier}]}}", 1, 23, "missing-key"),
    ("aliases: {p: {gates: [q]}, q: {gates: [p]}}", 1, 11, "alias-cycle"),
    ("aliases: {p: {gates: [p]}}", 1, 11, "alias-cycle"),
    ("aliases: {p: {approvals: two}}", 1, 26, "wrong-type"),
    ("aliases: {p: {gate: []}}", 1, 15, "unknown-key"),
    ("owner: me", 1, 1, "missing-key"),
    ("version: 9\naliases: {}", 1, 10, "wrong-value"),
    ("aliases: [p]", 1, 10, "wrong-type"),
    ("aliases: {p: {}, p: {}}", 1, 18, "duplicate-key"),
    ("aliases: {p: {gates: [{data_age: 999999999999d}]}}", 1, 24, "wrong-value"),
    (BOMB, 1, 1, "malformed-yaml"),
    ("aliases: &a {p: *a}", 1, 1, "malformed-yaml"),
]


@pytest.mark.parametrize(("text", "line", "column", "code"), BAD)
def test_a_malformed_policy_says_where_and_what(
    pipeline: Pipeline, text: str, line: int, column: int, code: str
) -> None:
    with pytest.raises(ConfigError) as wrong:
        policy_file.parse(text.encode(), pipeline, "storm", others={})
    details = wrong.value.details
    assert (details["file"], details["line"], details["column"]) == (
        *("models/storm.yaml", line, column),
    )
    assert wrong.value.code.startswith(code)


WHOLE = """\
version: 1
owner: science
formats: [onnx]
aliases:
  staging: {gates: [metrics.roc_auc >= 0.58, parity, golden, {formats: [onnx]}]}
  production:
    gates:
      - staging
      - {better_than: production, on: roc_auc, margin: 0.0, test: paired, alpha: 0.05}
      - {not_worse_than: production, on: brier, margin: 0.01}
      - {slices: wind, on: roc_auc, at_least: 0.5, worse_by: 0.05}
      - data_valid
      - {data_age: 90d}
      - {reuse: 20, tolerance: 0.1}
      - {clean_tree: patch}
      - protected_branch
      - signed
      - {card: [Intended use]}
    approvals: 2
"""


def test_the_schema_takes_what_is_read_and_refuses_what_is_not(pipeline: Pipeline) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plain(parse(WHOLE.encode(), name="a policy")), schema)
    found = policy_file.parse(WHOLE.encode(), pipeline, "storm", others={})
    assert len(found["production"]["gates"]) == 11
    for gate in ({"reuse": "often"}, {"better_than": "p", "alfa": 1}, {"parity": True}, 3):
        said = {"aliases": {"p": {"gates": [gate]}}}
        assert list(jsonschema.Draft202012Validator(schema).iter_errors(said)), gate
