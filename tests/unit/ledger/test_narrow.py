"""What SQLite lets through is asked the condition itself: an index answers as a walk would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_cli.ledger import query
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.facts import facts
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Code, Record, record
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
STRANGE: tuple[dict[str, Any], ...] = (
    {"params": {"lr": 0.05, "net": {"depth": 3}}, "metrics": {"auc": 0.9}},
    {"params": {"lr": 0.5, "net.depth": 3}, "metrics": {"auc": 0.6, "f.1": 1}},
    {"params": {"lr": "0.05", "name": 'it\'s "odd" ü'}, "metrics": {"auc": None}},
    {"params": {"lr": True, "seed": 2**60}, "metrics": {"auc": 10**400}},
    {"params": {"lr": [1], "name": "x" * 500}, "metrics": 3},
    {"params.lr": 0.05, "params": {"lr": 7}, "metrics": {"auc": -(2**70)}},
    {"step": "a.b", "status": "done", "code": Code("c" * 40, branch="main"), "seconds": 3},
    {"step": 7, "code": Code("d" * 40), "seconds": "3", "branch": "main"},
)
CONDITIONS = (
    "params.lr < .1",
    "params.lr = 0.05 and metrics.auc > 0.7",
    "params.lr = '0.05' or params.net.depth = 3",
    "not params.lr < .1",
    "not (params.lr < .1 or metrics.auc > .8)",
    "params.lr != 0.05",
    "params.lr = true",
    "params.name ~ ODD or params.name > x",
    """params.name = 'it\\'s' or params.name = "it's" """.replace("\\'", ""),
    f"params.name > {'x' * 300}",
    f"params.name = {'x' * 500}",
    f"params.seed = {2**60} or params.seed > {2**60 - 1}",
    f"params.seed >= {2**52}",
    "metrics.auc > 5",
    "metrics.auc < -5",
    "metrics.auc = null",
    "metrics.f.1 = 1 and params.net.depth = 3",
    "branch = main",
    "branch = main and seconds = 3",
    f"commit = {'c' * 40}",
    "code.branch = main or step = a.b",
    "step = 7",
    "status = done and no.such.field = 1",
    "params.nothing = 1 or step = a.b",
    "actor = Ada and key = k",
)


def made(n: int, more: dict[str, Any]) -> Record:
    plain = {
        "run": f"r{n}", "step": "s", "step_kind": "train", "key": "k", "status": "done",
        "started": WHEN, "seconds": 1, "inputs": {}, "outputs": {},
    }  # fmt: skip
    return record("run", time=WHEN + timedelta(seconds=n), actor="Ada", **{**plain, **more})


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    git = Git.init(tmp_path_factory.mktemp("narrow"))
    git.run("config", "user.name", "Ada")
    git.run("config", "user.email", "ada@example.com")
    open_ledger(git).append(*(made(n, more) for n, more in enumerate(STRANGE)))
    return git


@pytest.mark.parametrize("words", CONDITIONS)
def test_an_index_answers_as_a_walk_over_all_records(git: Git, words: str) -> None:
    condition = parse(words)
    with open_index(git) as index:
        walked = [one for one in index.newest("run") if condition(facts(one))]
        assert list(query.search(index, condition, limit=-1)) == walked


def test_branch_and_commit_are_found_without_saying_code(git: Git) -> None:
    with open_index(git) as index:
        found = query.search(index, parse("branch = main and seconds = 3"), limit=-1)
        assert [one["run"] for one in found] == ["r6"]
