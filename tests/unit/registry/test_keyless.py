"""Signatures without a key: made by a Sigstore of the test's own, judged by sigstore-python."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mangled import mangled
from sigstore.dsse import Statement
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore_world import GITHUB, WORKFLOW, Sigstore, running

from mlops_cli.errors import ConfigError, IntegrityError, MlopsError, NotFound, OutsideWorld
from mlops_cli.registry.keyless import checking, identities, signing
from mlops_cli.registry.keyless.identities import Identity

STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "storm", "digest": {"sha256": "0" * 64}}],
        "predicateType": "https://example.org/any",
        "predicate": {},
    }
).encode()
OF_GITHUB = f"https://github.com/{WORKFLOW}"
# the log and a timestamp say when; one is enough
TIMES = ["integratedTime", "inclusionPromise", "timestampVerificationData", "rfc3161Timestamps"]
Signs = Callable[..., bytes]


@pytest.fixture
def signs(sigstore: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signs:
    """Sign the statement with the Sigstore of the test, as ada@example.org."""

    def sign(statement: bytes = STATEMENT, of: Sigstore = sigstore, **claims: Any) -> bytes:
        monkeypatch.setenv(signing.TOKEN, of.token(**claims))
        return signing.sign(statement, str(of.config(tmp_path / "config.json")))

    return sign


def root(of: Sigstore) -> bytes:
    return json.dumps(of.trusted_root()).encode()


def listed(of: Sigstore, name: str = "ada@example.org", options: str = "") -> tuple[Identity, ...]:
    return identities.parse(f"{name} {of.url} {options}".encode())


def refusal(data: bytes, of: Sigstore, who: tuple[Identity, ...] | None = None) -> MlopsError:
    with pytest.raises(MlopsError) as caught:
        checking.check(data, listed(of) if who is None else who, root(of))
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(("rekor", "stamps"), [(1, False), (1, True), (2, True)])
def test_who_signed_what_is_known_offline(
    sigstore: Sigstore, signs: Signs, rekor: int, stamps: bool
) -> None:
    sigstore.rekor, sigstore.stamps = rekor, stamps
    made = [signs() for _ in range(3)][-1]  # a tree with several leaves
    assert len(sigstore.entries) == 3
    sigstore.url, who = "http://127.0.0.1:1", listed(sigstore)
    found = checking.check(made, who, root(sigstore))
    assert (found.payload, found.identity) == (STATEMENT, "ada@example.org")
    assert found.kind == "application/vnd.in-toto+json"


def test_a_job_of_github_signs_as_its_workflow(
    sigstore: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(signing.TOKEN, raising=False)
    for name, value in sigstore.github().items():
        monkeypatch.setenv(name, value)
    made = signing.sign(STATEMENT, str(sigstore.config(tmp_path / "config.json")))
    line = f"https://github.com/example/storms/.github/workflows/*.yml@refs/heads/main {GITHUB}"
    who = identities.parse(line.encode())
    assert checking.check(made, who, root(sigstore)).identity == OF_GITHUB
    for name in (
        f"https://github.com/example/*@refs/heads/main {GITHUB}",
        f"{OF_GITHUB} https://x",
    ):
        other = refusal(made, sigstore, identities.parse(name.encode()))
        assert (other.code, other.exit_code) == ("unknown-signer", 30)
        assert (other.details["identity"], other.details["issuer"]) == (OF_GITHUB, GITHUB)


def test_who_is_not_listed_is_refused(sigstore: Sigstore, signs: Signs) -> None:
    made = signs()
    eve = signs(email="eve@example.org")
    assert refusal(eve, sigstore).code == "unknown-signer"
    assert refusal(made, sigstore, ()).code == "unknown-signer"
    for options in ('valid-before="20240101"', 'valid-after="29990101"'):
        late = refusal(made, sigstore, listed(sigstore, options=options))
        assert (late.code, late.exit_code) == ("signer-expired", 30)
    both = (*listed(sigstore, options=options), *listed(sigstore, "*@example.org"))
    assert checking.check(made, both, root(sigstore)).identity == "ada@example.org"


def test_certificates_of_another_authority_count_for_nothing(
    sigstore: Sigstore, signs: Signs
) -> None:
    with running() as other:
        other.url = sigstore.url  # so that the issuer is the same
        foreign = refusal(signs(), other)
    assert (foreign.code, foreign.exit_code) == ("unknown-authority", 30)


def test_a_certificate_that_was_over_when_the_log_saw_it_is_refused(
    sigstore: Sigstore, signs: Signs, tmp_path: Path
) -> None:
    sigstore.late = 3600
    with pytest.raises(OutsideWorld) as caught:
        signs()
    assert caught.value.code == "signing-failed"
    config = ClientTrustConfig.from_json(sigstore.config(tmp_path / "config.json").read_text())
    token = IdentityToken(sigstore.token())
    with SigningContext.from_trust_config(config).signer(token) as signer:  # and does not look
        made = signer.sign_dsse(Statement(STATEMENT)).to_json().encode()
    late = refusal(made, sigstore)
    assert (late.code, late.exit_code) == ("unknown-authority", 30)


def test_what_was_changed_or_left_out_is_found(sigstore: Sigstore, signs: Signs) -> None:
    made, other = json.loads(signs()), json.loads(signs(STATEMENT.replace(b"storm", b"other")))
    material, inner = made["verificationMaterial"], made["dsseEnvelope"]
    (entry,), (others,) = (each["verificationMaterial"]["tlogEntries"] for each in (made, other))

    def with_(**changes: Any) -> bytes:
        return json.dumps({**made, "verificationMaterial": {**material, **changes}}).encode()

    def with_entry(**changes: Any) -> bytes:
        return with_(tlogEntries=[{**entry, **changes}])

    proof = entry["inclusionProof"]
    flipped = base64.b64encode(base64.b64decode(proof["rootHash"])[::-1]).decode()
    wrong = {
        "envelope of another": json.dumps({**made, "dsseEnvelope": other["dsseEnvelope"]}).encode(),
        "payload of another": json.dumps(
            {**made, "dsseEnvelope": {**inner, "payload": other["dsseEnvelope"]["payload"]}}
        ).encode(),
        "certificate of another": with_(certificate=other["verificationMaterial"]["certificate"]),
        "entry of another": with_(tlogEntries=[others]),
        "body of another": with_entry(canonicalizedBody=others["canonicalizedBody"]),
        "another time": with_entry(integratedTime=str(int(entry["integratedTime"]) + 1)),
        "root": with_entry(inclusionProof={**proof, "rootHash": flipped}),
        "checkpoint": with_entry(
            inclusionProof={**proof, "checkpoint": {"envelope": "a\n1\nAAAA\n\n\u2014 a AAAA\n"}}
        ),
    }  # fmt: skip
    for what, data in wrong.items():
        found = refusal(data, sigstore)
        assert isinstance(found, IntegrityError), what
        assert found.code == "bad-signature", what
    missing = (
        with_(tlogEntries=[]),
        with_(tlogEntries=[entry, entry]),
        with_entry(inclusionProof=None),
        with_entry(inclusionPromise=None),
        with_entry(kindVersion={"kind": "dsse", "version": "9.9.9"}),
        with_(certificate={"rawBytes": "AAAA"}),
        json.dumps({**made, "mediaType": "text/plain"}).encode(),
        json.dumps({**made, "dsseEnvelope": {**inner, "signatures": []}}).encode(),
        b"[]",
        b"\xff",
    )
    for data in missing:
        found = refusal(data, sigstore)
        assert (found.exit_code, found.code) in ((40, "malformed-envelope"), (40, "bad-signature"))


def test_no_damage_ends_in_anything_but_a_refusal(sigstore: Sigstore, signs: Signs) -> None:
    sigstore.stamps = True
    made, dice = signs(), random.Random(5)
    whole = json.loads(made)
    for size in range(0, len(made), 97):
        refusal(made[:size], sigstore)
    for other, key, _ in mangled(whole):
        try:
            checking.check(json.dumps(other).encode(), listed(sigstore), root(sigstore))
        except MlopsError as exc:
            assert exc.exit_code in (30, 40)
        else:
            assert key in TIMES
    for _ in range(100):
        raw = bytearray(base64.b64decode(whole["verificationMaterial"]["certificate"]["rawBytes"]))
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        copy = json.loads(made)
        copy["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(raw).decode()
        refusal(json.dumps(copy).encode(), sigstore)


def test_a_trusted_root_that_cannot_be_read_says_so(sigstore: Sigstore, signs: Signs) -> None:
    made, good = signs(), sigstore.trusted_root()
    bad = ({"mediaType": "x"}, {**good, "tlogs": []}, {**good, "certificateAuthorities": []}, [])
    for data in (b"{", *(json.dumps(each).encode() for each in bad)):
        with pytest.raises(ConfigError) as caught:
            checking.check(made, listed(sigstore), data)
        assert caught.value.code == "bad-trusted-root"


def test_the_public_root_comes_with_sigstore_and_takes_none_of_ours(
    sigstore: Sigstore, signs: Signs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = signs()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    with pytest.raises(MlopsError) as caught:
        checking.check(made, listed(sigstore), None)
    assert caught.value.code == "unknown-authority"


def test_nobody_signs_without_an_identity(
    sigstore: Sigstore, signs: Signs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = str(sigstore.config(tmp_path / "config.json"))
    monkeypatch.delenv(signing.TOKEN, raising=False)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotFound) as none:
        signing.sign(STATEMENT, config)
    assert none.value.code == "no-identity"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")  # without the permission
    with pytest.raises(ConfigError) as unable:
        signing.sign(STATEMENT, config)
    assert unable.value.code == "unusable-identity"
    for claims in ({"exp": 1}, {"aud": "others"}):
        with pytest.raises(ConfigError) as unusable:
            signs(**claims)
        assert unusable.value.code == "unusable-identity"
    assert sigstore.entries == []


def test_a_service_that_does_not_answer_is_the_outside_world(
    sigstore: Sigstore, signs: Signs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sigstore.refuse = 401
    with pytest.raises(OutsideWorld) as refused:
        signs()
    assert refused.value.code == "signing-failed"
    assert "401" in refused.value.message
    url, sigstore.url = sigstore.url, "http://127.0.0.1:1"
    with pytest.raises(OutsideWorld):
        signs()
    sigstore.url, sigstore.refuse = url, 0
    with running() as other:  # a log that the trusted root does not know
        sigstore.log, known = other.log, sigstore.log
        config = str(sigstore.config(tmp_path / "other.json"))
        sigstore.log = known
        monkeypatch.setenv(signing.TOKEN, sigstore.token())
        with pytest.raises(OutsideWorld) as unproved:
            signing.sign(STATEMENT, config)
    assert "log" in unproved.value.message


def test_a_service_that_says_nothing_is_not_waited_for(
    sigstore: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signing.TOKEN, sigstore.token())
    sigstore.silent = True
    with pytest.raises(OutsideWorld, match=r"no answer within 0\.3 seconds") as caught:
        signing.sign(STATEMENT, str(sigstore.config(tmp_path / "config.json")), patience=0.3)
    assert caught.value.code == "signing-failed"


def test_a_trust_config_has_to_be_one(signs: Signs, tmp_path: Path) -> None:
    signs()
    with pytest.raises(NotFound) as none:
        signing.sign(STATEMENT, str(tmp_path / "none"))
    assert none.value.code == "no-trust-config"
    (tmp_path / "junk").write_text("{}")
    with pytest.raises(ConfigError) as junk:
        signing.sign(STATEMENT, str(tmp_path / "junk"))
    assert junk.value.code == "bad-trust-config"


def test_a_star_stands_for_no_host_no_owner_and_no_domain() -> None:
    (one,) = identities.parse(f"https://github.com/example/*/a.yml@refs/tags/v* {GITHUB}".encode())
    assert one.means("https://github.com/example/storms/a.yml@refs/tags/v1.2", GITHUB)
    for name in (
        "https://github.com/example/storms/more/a.yml@refs/tags/v1",
        "https://github.com/example/a@b/a.yml@refs/tags/v1",
        "https://github.com/other/storms/a.yml@refs/tags/v1",
        "https://github.com/example/storms/a.yml@refs/tags/v1/x",
        "https://github.com/example/storms/aXyml@refs/tags/v1",
    ):
        assert not one.means(name, GITHUB)
    for bad in (
        f"* {GITHUB}",
        f"https://*/example/a.yml {GITHUB}",
        f"https://github.com/*/a.yml@refs/heads/main {GITHUB}",
        "ada@* https://x",
        "*@*.org https://x",
        "ada@example.org",
        "ada@example.org accounts.google.com",
        "ada@example.org https://*.example.org",
        'ada@example.org https://x namespaces="git"',
        'ada@example.org https://x valid-after="soon"',
        'ada@example.org https://x valid-after="20240101",valid-after="20250101"',
        "ada@example.org https://x trailing words",
    ):
        with pytest.raises(ConfigError) as caught:
            identities.parse(f"# who\r\n\r\n{bad}\r\n".encode())
        assert caught.value.code == "bad-allowed-identities"
        assert caught.value.message.startswith(".mlops/allowed_identities:3: ")
