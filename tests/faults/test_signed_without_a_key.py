"""A job of CI registers as its workflow; whoever deploys asks for that one, and for no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sigstore_world import GITHUB, WORKFLOW, Sigstore

from mlops_cli.encode import canonical_json
from mlops_cli.registry.registry import Registry
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree, write_tree
from mlops_cli.vcs.repo import Git

OF_GITHUB = f"https://github.com/{WORKFLOW}"
DEPLOYMENT = "deployments:\n  prod:\n    model: storm@staging\n    target: {kind: local, port: 0}\n"
List = Callable[[str], None]


@pytest.fixture
def lists(trained: Path, sigstore: Sigstore, git: Any) -> List:
    """Commit who may sign, and the trusted root, on the protected branch."""

    def commit(text: str) -> None:
        (trained / ".mlops/allowed_identities").write_text(text)
        (trained / ".mlops/trusted_root.json").write_text(json.dumps(sigstore.trusted_root()))
        git("add", "-f", ".mlops/allowed_identities", ".mlops/trusted_root.json", cwd=trained)
        git("commit", "-q", "-am", "who may sign", cwd=trained)

    return commit


@pytest.fixture
def ci(sigstore: Sigstore, tmp_path: Path) -> dict[str, str]:
    """The variables of a job on GitHub that may sign."""
    config = str(sigstore.config(tmp_path / "config.json"))
    return {**sigstore.github(), "MLOPS_SIGNING_SIGSTORE": config}


def signature(mlops: Any, root: Path, code: int, name: str = "storm@v2") -> Any:
    links = mlops("verify", name, "--json", cwd=root, code=code).data["links"]
    (found,) = [link for link in links if link["kind"] == "signature"]
    return found


def test_what_the_workflow_registered_is_verified_and_deployed_without_network(
    mlops: Any, git: Any, trained: Path, sigstore: Sigstore, lists: List, ci: dict[str, str]
) -> None:
    (trained / "pipeline.yaml").write_text((trained / "pipeline.yaml").read_text() + DEPLOYMENT)
    lists(f"{OF_GITHUB} {GITHUB}\n")
    data = mlops("register", "storm", "--json", cwd=trained, env=ci, code=0).data
    assert (data["version"], data["created"], len(sigstore.entries)) == (2, True, 1)
    mlops("register", "storm", cwd=trained, env=ci, code=0)
    assert len(sigstore.entries) == 1, "the log is told of a version once"
    mlops("promote", "storm@v2", "staging", cwd=trained, code=0)
    sigstore.refuse = 500  # from here on nobody is asked
    found = signature(mlops, trained, 0)
    assert (found["state"], found["signer"]) == ("ok", OF_GITHUB)

    lists(f"{OF_GITHUB.replace('register', 'nightly')} {GITHUB}\n")
    found = signature(mlops, trained, 30)
    assert (found["state"], found["code"]) == ("untrusted", "unknown-signer")
    refused = mlops("deploy", "apply", "prod", "--json", cwd=trained, code=30).error
    assert refused["code"] == "unknown-signer"
    assert OF_GITHUB in refused["message"]

    git("checkout", "-q", "-b", "candidate", cwd=trained)  # where nobody protects the list
    lists(f"{OF_GITHUB} {GITHUB}\n")
    assert signature(mlops, trained, 30)["code"] == "unknown-signer"
    git("checkout", "-q", "main", cwd=trained)
    lists("ada@example.org\n")
    assert signature(mlops, trained, 30)["code"] == "bad-allowed-identities"


def test_where_identities_alone_are_listed_nothing_unsigned_is_trusted(
    mlops: Any, trained: Path, lists: List
) -> None:
    mlops("register", "storm", cwd=trained, code=0)
    lists(f"{OF_GITHUB} {GITHUB}\n")
    found = signature(mlops, trained, 30)
    assert (found["state"], found["code"]) == ("untrusted", "unsigned")


def test_where_nobody_can_judge_the_only_signature_it_is_not_trusted(
    mlops: Any, trained: Path, lists: List, ci: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(f"{OF_GITHUB} {GITHUB}\n")
    mlops("register", "storm", cwd=trained, env=ci, code=0)
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    found = signature(mlops, trained, 30)
    assert (found["state"], found["code"]) == ("untrusted", "missing-extra")
    assert "pip install 'mlops-cli[sigstore]'" in found["wrong"]


def test_the_signature_of_another_bundle_is_a_mismatch(
    mlops: Any, trained: Path, lists: List, ci: dict[str, str]
) -> None:
    lists(f"{OF_GITHUB} {GITHUB}\n")
    mlops("register", "storm", cwd=trained, env=ci, code=0)
    said = dict(Registry(Git(trained)).version("storm", 2).payload)
    Registry(Git(trained)).create("calm", said)  # the files of one model as another
    found = signature(mlops, trained, 40, "calm@v1")
    assert (found["state"], found["code"]) == ("mismatch", "signature-of-others")
    cache = open_cache(trained / ".mlops/cache")
    words = cache.put(b"# storm\n\nFor everything.\n")
    made = [
        each._replace(digest=words, size=24) if each.name == "card.md" else each
        for each in parse_tree(cache.read(Digest(said["bundle"])))
    ]
    said |= {"bundle": str(cache.put(write_tree(made)))}
    text = f"storm v2\n\n{canonical_json(said).decode()}"
    Git(trained).run("tag", "-f", "-a", "-m", text, "mlops/storm/v2", "mlops/storm/v2^{}")
    found = signature(mlops, trained, 40)
    assert (found["state"], found["code"]) == ("mismatch", "signature-of-others")


def test_a_version_without_the_signature_that_was_asked_for_is_not_made(
    mlops: Any, git: Any, trained: Path, sigstore: Sigstore, ci: dict[str, str], tmp_path: Path
) -> None:
    before = git("tag", cwd=trained)
    sigstore.refuse = 403
    for more, code, why in (
        ({}, 50, "signing-failed"),
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, 10, "unusable-identity"),
        ({"GITHUB_ACTIONS": ""}, 20, "no-identity"),
        ({"MLOPS_SIGNING_SIGSTORE": "none.json"}, 20, "no-trust-config"),
        ({"MLOPS_SIGNING_MODEL_KEY": "key.pem"}, 10, "two-signers"),
    ):
        env = {**ci, **more}
        error = mlops("register", "storm", "--json", cwd=trained, env=env, code=code).error
        assert error["code"] == why
        assert error["hint"]
    assert git("tag", cwd=trained) == before
