"""The chain behind a model as git alone tells it: who stands for what, and what is missing."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Record
from mlops_cli.registry import records, statement, verify
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, exit_code, refusal
from mlops_cli.registry.chain.signature import made
from mlops_cli.registry.chain.walk import walk
from mlops_cli.registry.keyless.identities import Keyless
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, write_tree
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
BUNDLE = f"sha256:{9:064x}"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys") / "ada"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(place)], check=True
    )
    return place


def allowed(key: Path) -> bytes:
    return b"ada@example.org " + key.with_suffix(".pub").read_bytes()


def register(registry: Registry, **more: Any) -> None:
    payload = {"digest": f"sha256:{1:064x}", "format": "onnx", "created": WHEN.isoformat()}
    registry.create("delay", payload | {"actor": str(registry.git.identity())} | more)


def promote(registry: Registry, version: int | None) -> None:
    actor = str(registry.git.identity())
    registry.move(
        "delay", "prod", version, policy={}, evidence={}, actor=actor, reason="r", time=WHEN
    )


def links(git: Git, name: str, listed: bytes | None = None, level: Any = "refs") -> list[Link]:
    return list(walk(Ground(git, open_cache(git.root / ".mlops/cache"), level, listed), name))


def states(found: list[Link]) -> dict[str, str]:
    return {link.kind: link.state for link in found}


def test_a_version_that_says_little_is_not_blamed_for_it(git: Git) -> None:
    register(Registry(git))
    promote(Registry(git), 1)
    found = links(git, "delay@prod")
    assert exit_code(found) == 0
    assert states(found) == {
        "event": "ok",
        "version": "ok",
        "commit": "ok",
        "record": "absent",
        "bundle": "absent",
        "run": "absent",
    }


def test_a_bundle_may_be_elsewhere_until_its_bytes_are_asked_for(git: Git) -> None:
    register(Registry(git), bundle=BUNDLE, run=f"sha256:{8:064x}")
    at_refs, at_bytes = (links(git, "delay@v1", level=level) for level in ("refs", "bytes"))
    assert (states(at_refs)["bundle"], states(at_bytes)["bundle"]) == ("absent", "missing")
    assert states(at_refs)["run"] == "missing" and exit_code(at_refs) == 20
    error = refusal("delay@v1", at_refs)
    assert isinstance(error, NotFound) and error.code == "unknown-record"


def test_a_signed_event_vouches_for_a_version_of_before_there_was_a_list(
    git: Git, key: Path
) -> None:
    register(Registry(git))
    promote(Registry(git), 1)
    refused = refusal("delay@prod", links(git, "delay@prod", allowed(key)))
    assert isinstance(refused, StateRefused) and refused.code == "unsigned"
    signing = Registry(Git(git.root, str(key)))
    promote(signing, None)
    promote(signing, 1)
    for name in ("delay@prod", "delay@v1"):
        found = links(git, name, allowed(key))
        assert exit_code(found) == 0
        (version,) = [link for link in found if link.kind == "version"]
        assert version.signer == "ada@example.org"


def test_a_time_without_a_zone_is_utc_and_no_time_is_long_ago() -> None:
    for said, meant in (
        ({"created": "2013-03-01T12:00:00"}, datetime(2013, 3, 1, 12, tzinfo=UTC)),
        ({"created": "2013-03-01T12:00:00+02:00"}, datetime(2013, 3, 1, 10, tzinfo=UTC)),
        ({}, datetime(1970, 1, 1, tzinfo=UTC)),
    ):
        assert made(Version("delay", 1, said, "mlops/delay/v1", "0" * 40, "0" * 40)) == meant


def test_a_bundle_without_files_holds_no_model(git: Git) -> None:
    empty = str(open_cache(git.root / ".mlops/cache").put(write_tree([])))
    register(Registry(git), bundle=empty)
    found = links(git, "delay@v1", level="bundle")
    assert (states(found)["bundle"], states(found)["model"]) == ("ok", "mismatch")
    assert exit_code(found) == 40


@pytest.mark.parametrize("bundle", [None, BUNDLE])
def test_where_identities_alone_are_listed_a_version_that_names_no_signature_is_not_trusted(
    git: Git, bundle: str | None
) -> None:
    register(Registry(git), bundle=bundle)
    keyless = Keyless(b"ada@example.org https://accounts.example.org", None)
    cache = open_cache(git.root / ".mlops/cache")
    for listed in (None, b""):
        found = list(walk(Ground(git, cache, "refs", listed, keyless=keyless), "delay@v1"))
        assert exit_code(found) == 30
        assert ("signature" in states(found)) == (listed is None)


def test_the_ledger_knows_of_events_that_are_gone_and_tags_that_were_moved(git: Git) -> None:
    registry, ledger = Registry(git), open_ledger(git)
    register(registry)
    for version in (1, None, 1):
        promote(registry, version)
    records.settle(registry, ledger, "delay")
    assert exit_code(links(git, "delay@prod")) == 0
    git.run("tag", "-d", "mlops/delay/@prod/2", "mlops/delay/@prod/3")
    (event, *_) = links(git, "delay@prod")
    assert (event.state, event.code) == ("missing", "event-missing")
    words = git.run("tag", "-l", "--format=%(contents)", "mlops/delay/v1")
    git.run("tag", "-f", "-a", "-m", words.replace("\nx", "\n"), "mlops/delay/v1", "HEAD")
    found = links(git, "delay@v1")
    assert [link.code for link in found if link.bad] == ["tag-moved"]


def test_a_record_that_names_no_tag_object_where_one_belongs_contradicts_the_tag(git: Git) -> None:
    registry, ledger = Registry(git), open_ledger(git)
    register(registry)
    promote(registry, 1)
    event = registry.alias("delay", "prod")
    assert event is not None
    for one in (registry.version("delay", 1), event):
        lie = {**records.of(one).body, "tag_object": ["x"]}
        ledger.append(Record(Digest.of(canonical_json(lie)), lie))
    found = links(git, "delay@prod")
    assert {(link.kind, link.code) for link in found if link.bad} == {
        ("event", "tag-moved"),
        ("record", "tag-moved"),
    }
    with open_index(git) as index, pytest.raises(IntegrityError, match="was moved"):
        verify.confirm(index, registry.version("delay", 1), event)


MODEL = b"a model"
RUN = f"sha256:{8:064x}"


def provenance(**more: Any) -> bytes:
    subject = [{"name": "model.onnx", "digest": {"sha256": Digest.of(MODEL).hex}}]
    build = {"resolvedDependencies": [], "externalParameters": {}} | more
    details = {"metadata": {"invocationId": RUN}}
    return json.dumps(
        {
            "_type": statement.TYPE,
            "predicateType": statement.PROVENANCE,
            "subject": subject,
            "predicate": {"buildDefinition": build, "runDetails": details},
        }
    ).encode()


@pytest.mark.parametrize(
    ("files", "kind", "code"),
    [
        ({"provenance.json": b" " * 5_000_000}, "provenance", "malformed-envelope"),
        ({"provenance.json": b"["}, "provenance", "malformed-json"),
        (
            {"provenance.json": provenance(internalParameters=3)},
            "provenance",
            "malformed-statement",
        ),
        ({"attestations.intoto.jsonl": b"{}"}, "attestation", "malformed-envelope"),
        ({"attestations.intoto.jsonl": b""}, "attestation", "malformed-envelope"),
        ({"model.onnx": b"another"}, "model", "other-model"),
        (
            {"provenance.json": provenance(internalParameters={"steps": [{"step": "../../x\n"}]})},
            "lock",
            "no-lock",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bundle_that_lies_is_named(
    git: Git, files: dict[str, bytes], kind: str, code: str
) -> None:
    cache = open_cache(git.root / ".mlops/cache")
    held = {"model.onnx": MODEL, "provenance.json": provenance()} | files
    tree = write_tree(
        Entry(name, "file", cache.put(data), len(data)) for name, data in sorted(held.items())
    )
    register(Registry(git), digest=Digest.of(MODEL), bundle=cache.put(tree), run=RUN)
    found = links(git, "delay@v1", level="bundle")
    assert (kind, code) in {(link.kind, link.code) for link in found if link.bad}


def test_what_means_nothing_is_an_error(git: Git) -> None:
    with pytest.raises(NotFound):
        links(git, "delay@v1")
    register(Registry(git))
    with pytest.raises(NotFound):
        links(git, "delay@prod")
