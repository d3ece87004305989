"""Whatever is changed in the chain of a model, `verify` and `deploy` refuse and name the link."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command import here
from shared import once, session_folder

from mlops_cli.encode import canonical_json
from mlops_cli.ledger import layout
from mlops_cli.registry.registry import Registry
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree, write_tree
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

SIGNERS = ("ada", "models")
NOW = datetime(2013, 4, 1, tzinfo=UTC)
DEPLOYMENT = "deployments:\n  prod:\n    model: storm@staging\n    target: {kind: local, port: 0}\n"


@dataclass(frozen=True)
class Tampered:
    """A copy of the project for one attack."""

    root: Path
    keys: Path

    @property
    def git(self) -> Git:
        return Git(self.root)

    def registry(self, who: str | None) -> Registry:
        return Registry(Git(self.root, str(self.keys / who) if who else None))

    def run(self, *words: str) -> str:
        return self.git.run(*words)

    def flip(self, digest: str) -> None:
        """Change a byte of an object, wherever the cache keeps it."""
        cache = open_cache(self.root / ".mlops/cache")
        data = cache.read(Digest(digest))
        for path in sorted((self.root / ".mlops/cache").rglob("*")):
            if path.is_file() and data in (held := path.read_bytes()):
                at = held.index(data) + len(data) // 2
                path.chmod(0o644)
                path.write_bytes(held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :])
                return
        raise AssertionError(f"{digest} is nowhere")

    def overwrite(self, oid: str, change: Callable[[bytes], bytes]) -> None:
        """Put other bytes under the name of an object of git."""
        place = self.root / ".git/objects" / oid[:2] / oid[2:]
        data = zlib.decompress(place.read_bytes())
        assert change(data) != data
        place.chmod(0o644)
        place.write_bytes(zlib.compress(change(data)))

    def move(self, who: str | None, version: int, **more: Any) -> None:
        """Append an event to the alias, signed by `who`."""
        former = self.registry(None).alias("storm", "staging")
        assert former is not None
        own = former.payload
        source = {"policy_from": own["policy_from"], **more.pop("payload", {})}
        self.registry(who).move(
            "storm", "staging", version, policy=more.pop("policy", {}), evidence={},
            actor="Eve", reason="mine", time=NOW, **source,
        )  # fmt: skip

    def allow(self, text: str) -> None:
        (self.root / ".mlops/allowed_signers").write_text(text)
        self.run("commit", "-qam", "signers")


@pytest.fixture(scope="session")
def signed_once(tmp_path_factory: pytest.TempPathFactory, trained_once: Path) -> tuple[Path, Path]:
    """The project with v2 signed and staging, and the folder with the keys of ada and eve."""
    base = session_folder(tmp_path_factory)
    keys = once(base / "signed/keys", _keys)
    return once(base / "signed/storms", lambda folder: _sign(folder, trained_once, keys)), keys


def _keys(folder: Path) -> None:
    for name, kind in (("ada", "ed25519"), ("eve", "ed25519"), ("models", "ecdsa")):
        place = str(folder / name)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", place], check=True
        )


def _sign(root: Path, trained: Path, keys: Path) -> None:
    shutil.copytree(trained, root, symlinks=True, dirs_exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(root.parent / ".gitconfig"),
        "MLOPS_NOW": "2013-03-01T00:00:00+00:00",
    }

    def run(*words: str) -> None:
        done = here(words, root, environment)
        assert done.code == 0, done

    git = Git(root, str(keys / "ada"))
    listed = (f"{name}@example.org {(keys / f'{name}.pub').read_text()}" for name in SIGNERS)
    (root / ".mlops/allowed_signers").write_text("".join(listed))
    (root / "pipeline.yaml").write_text((root / "pipeline.yaml").read_text() + DEPLOYMENT)
    git.run("add", "-f", ".mlops/allowed_signers")
    git.run("commit", "-qam", "signers and a deployment")
    run("config", "set", "--local", "signing.key", str(keys / "ada"))
    run("config", "set", "--local", "signing.model_key", str(keys / "models"))
    run("register", "storm")
    run("promote", "storm@v2", "staging")
    run("models", "retire", "storm@staging", "--reason", "a test")
    run("promote", "storm@v2", "staging")


@pytest.fixture
def tampered(signed_once: tuple[Path, Path], tmp_path: Path) -> Tampered:
    root = tmp_path / "storms"
    shutil.copytree(signed_once[0], root, symlinks=True)
    return Tampered(root, signed_once[1])


def payload(t: Tampered) -> dict[str, Any]:
    return dict(t.registry(None).version("storm", 2).payload)


def blob(t: Tampered) -> None:
    t.flip(payload(t)["digest"])


def data(t: Tampered) -> None:
    (pointer,) = t.root.glob("data/*.mlops")
    t.flip(pointer.read_text().split('"digest": "')[1][:71])


def tree(t: Tampered) -> None:
    t.flip(payload(t)["bundle"])


def lock(t: Tampered) -> None:
    oid = t.run("rev-parse", "mlops/storm/v2^{commit}:.mlops/lock/evaluate.storm.json")
    t.overwrite(oid, lambda held: held.replace(b"roc_auc", b"auc_roc"))


def earlier_lock(t: Tampered) -> None:
    oid = t.run("rev-parse", "mlops/storm/v2^{commit}:.mlops/lock/dataset.storm.json")
    t.overwrite(oid, lambda held: held.replace(b'"key": "sha256:', b'"key": "sha256:0')[:-1])


def record(t: Tampered) -> None:
    (ref,) = refs.tips(t.git, refs.LEDGER)
    path = layout.record_path(payload(t)["run"])
    body = t.git.show(ref, path)
    assert body is not None
    blob = t.git.run("hash-object", "-w", "--stdin", input=body.replace(b'"done"', b'"fine"'))
    index = {"GIT_INDEX_FILE": str(t.root / "other-index")}
    t.git.run("read-tree", ref, env=index)
    t.git.run("update-index", "--cacheinfo", f"100644,{blob},{path}", env=index)
    made = t.git.run("commit-tree", "-m", "x", "-p", ref, t.git.run("write-tree", env=index))
    t.git.run("update-ref", ref, made)


def no_ledger(t: Tampered) -> None:
    (ref,) = refs.tips(t.git, refs.LEDGER)
    t.run("update-ref", "-d", ref)


def moved_tag(t: Tampered) -> None:
    text = canonical_json(payload(t) | {"metrics": {"roc_auc": 1.0}}).decode()
    t.run("tag", "-f", "-a", "-m", f"storm v2\n\n{text}", "mlops/storm/v2", "mlops/storm/v2^{}")


def altered_tag(t: Tampered) -> None:
    oid = t.run("rev-parse", "mlops/storm/v2")
    t.overwrite(oid, lambda held: held.replace(b"tagger Ada", b"tagger Eve"))


def unsigned_event(t: Tampered) -> None:
    t.move(None, 1)


def deleted_event(t: Tampered) -> None:
    t.run("tag", "-d", "mlops/storm/@staging/2", "mlops/storm/@staging/3")


def policy(t: Tampered) -> None:
    t.run("checkout", "-q", "-b", "candidate")
    place = t.root / "pipeline.yaml"
    place.write_text(place.read_text().replace("metrics.roc_auc >= 0.7", "metrics.roc_auc >= 0.1"))
    t.run("commit", "-qam", "easier")
    mine = {"branch": "main", "file": "pipeline.yaml", "commit": t.run("rev-parse", "HEAD")}
    t.move("ada", 1, payload={"policy_from": mine})


def own_policy(t: Tampered) -> None:
    t.move("ada", 1, policy={"gates": [], "approvals": 0})


def own_signers(t: Tampered) -> None:
    t.run("checkout", "-q", "-b", "candidate")
    t.allow(f"eve@example.org {(t.keys / 'eve.pub').read_text()}")
    t.move("eve", 1)


def replaced_signers(t: Tampered) -> None:
    """By whoever may write into the clone: git reads other bytes under the name of the list."""
    listed = t.run("rev-parse", "main:.mlops/allowed_signers")
    text = f"eve@example.org {(t.keys / 'eve.pub').read_text()}"
    t.run("replace", listed, t.git.run("hash-object", "-w", "--stdin", input=text))
    t.move("eve", 1)


def grafted_policy(t: Tampered) -> None:
    """By whoever may write into the clone: a commit of a candidate becomes a parent of main."""
    policy(t)
    main, mine = t.run("rev-parse", "main", "candidate").splitlines()
    (t.root / ".git/info/grafts").write_text(f"{main} {mine}\n")


def removed_signer(t: Tampered) -> None:
    t.allow("# nobody\n")


def expired_signer(t: Tampered) -> None:
    public = (t.keys / "ada.pub").read_text()
    t.allow(f'ada@example.org valid-before="20130101" {public}')


def garbled_signers(t: Tampered) -> None:
    t.allow("ada@example.org ssh-ed25519 AAA&\n")


def bundle(t: Tampered) -> None:
    """By somebody who may sign: another file in the bundle than the provenance is about."""
    cache = open_cache(t.root / ".mlops/cache")
    said = payload(t)
    words = cache.put(b"{}")
    files = parse_tree(cache.read(Digest(said["bundle"])))
    made = [
        each._replace(digest=words, size=2) if each.name == "schema.json" else each
        for each in files
    ]
    said |= {"bundle": str(cache.put(write_tree(made)))}
    _retag(t, said)


def attestation(t: Tampered) -> None:
    """By somebody who may sign: the statements of another model."""
    _retag(t, payload(t) | {"attestation": payload(t)["digest"]})


def easy_rows(t: Tampered) -> None:
    """By somebody who may sign: other rows to be judged on than those of the dataset."""
    cache = open_cache(t.root / ".mlops/cache")
    said = payload(t)
    easy = cache.put(b"easy")
    files = parse_tree(cache.read(Digest(said["judged_on"])))
    made = [
        each._replace(digest=easy, size=4) if each.name == "test.parquet" else each
        for each in files
    ]
    _retag(t, said | {"judged_on": str(cache.put(write_tree(made)))})


def other_dataset(t: Tampered) -> None:
    """By somebody who may sign: another dataset than the run was given."""
    _retag(t, payload(t) | {"dataset": payload(t)["judged_on"]})


def _retag(t: Tampered, said: dict[str, Any]) -> None:
    t.run(
        *("-c", "gpg.format=ssh", "-c", f"user.signingkey={t.keys / 'ada'}", "tag", "-f", "-s"),
        *("-m", f"storm v2\n\n{canonical_json(said).decode()}", "mlops/storm/v2"),
        "mlops/storm/v2^{}",
    )


# who has the key of ada can sign another version 2, but not make the event before name it
INSIDE = (bundle, attestation, easy_rows, other_dataset)
Attack = tuple[Callable[[Tampered], None], int, str, str]
ATTACKS: tuple[Attack, ...] = (
    (blob, 40, "model", "damaged-object"),
    (tree, 40, "bundle", "damaged-object"),
    (lock, 40, "lock", "other-lock"),
    (record, 40, "run", "damaged-record"),
    (moved_tag, 40, "version", "alias-chain-broken"),
    (unsigned_event, 30, "event", "unsigned"),
    (policy, 30, "policy", "policy-not-protected"),
    (own_signers, 30, "event", "unknown-signer"),
    (replaced_signers, 30, "event", "unknown-signer"),
    (removed_signer, 30, "version", "unknown-signer"),
    (bundle, 40, "provenance", "statement-of-others"),
    (easy_rows, 40, "rows", "other-rows"),
)
MORE: tuple[Attack, ...] = (
    (earlier_lock, 40, "lock", "other-lock"),
    (no_ledger, 20, "run", "unknown-record"),
    (altered_tag, 40, "version", "damaged-tag"),
    (deleted_event, 20, "event", "event-missing"),
    (grafted_policy, 30, "policy", "policy-not-protected"),
    (own_policy, 30, "policy", "policy-not-protected"),
    (expired_signer, 30, "attestation", "signer-expired"),
    (garbled_signers, 30, "event", "bad-allowed-signers"),
    (attestation, 40, "attestation", "other-attestation"),
    (other_dataset, 40, "rows", "other-rows"),
)
if os.environ.get("MLOPS_TAMPER"):  # each costs most of a second
    ATTACKS += MORE


def test_what_nobody_touched_holds(tampered: Tampered, mlops: Any) -> None:
    result = mlops("verify", "storm@staging", "--json", cwd=tampered.root, code=0)
    links = result.data["links"]
    assert {link["state"] for link in links} == {"ok"}
    assert {(link["kind"], link["signer"]) for link in links if link["signer"]} == {
        ("event", "ada@example.org"),
        ("version", "ada@example.org"),
        ("attestation", "ada@example.org"),
        ("signature", "models@example.org"),
    }
    kinds = [link["kind"] for link in links]
    assert (
        kinds.index("event") < kinds.index("version") < kinds.index("run") < kinds.index("source")
    )


@pytest.mark.parametrize(
    ("attack", "code", "kind", "why"), ATTACKS, ids=[attack[0].__name__ for attack in ATTACKS]
)
def test_verify_and_deploy_refuse_and_name_the_link(
    tampered: Tampered,
    mlops: Any,
    attack: Callable[[Tampered], None],
    code: int,
    kind: str,
    why: str,
) -> None:
    attack(tampered)
    name = "storm@v2" if attack in INSIDE else "storm@staging"
    result = mlops("verify", name, "--json", cwd=tampered.root)
    wrong = {
        (link["kind"], link["code"])
        for link in result.data["links"]
        if link["state"] not in ("ok", "absent")
    }
    assert (result.code, result.data["clean"]) == (code, False), wrong
    assert (kind, why) in wrong
    refused = mlops("deploy", "apply", "prod", "--json", cwd=tampered.root, code=code).error
    named = {(each["kind"], each["code"]) for each in refused["details"].get("links", ())}
    assert (kind, why) in named or refused["code"] == "alias-chain-broken"
    assert not (tampered.root / "environments").exists()


def test_raw_data_that_was_changed_is_found_where_bytes_are_read(
    tampered: Tampered, mlops: Any
) -> None:
    data(tampered)
    mlops("verify", "storm@staging", "--level", "refs", cwd=tampered.root, code=0)
    result = mlops("verify", "storm@staging", "--json", cwd=tampered.root, code=40)
    bad = [link for link in result.data["links"] if link["wrong"]]
    assert {link["label"] for link in bad} == {"data/days.parquet"}
