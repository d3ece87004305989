"""model.sig: what OpenSSF model signing verifies, made from digests alone."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mangled import mangled
from sigstore_world import Sigstore

from mlops_cli.errors import ConfigError, IntegrityError, NotFound, StateRefused
from mlops_cli.registry import eckeys, envelope, modelsign
from mlops_cli.registry.allowed import Signer, parse
from mlops_cli.registry.keyless.identities import Keyless
from mlops_cli.store.digest import Digest

AT = datetime(2013, 3, 1, tzinfo=UTC)
FILES = {
    "model.onnx": Digest.of(b"a model"),
    "schema.json": Digest.of(b"{}"),
    "card.md": Digest.of(b"# card"),
}


def keygen(place: Path, *words: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "", "-f", str(place), *words], check=True)
    return place


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keygen(tmp_path_factory.mktemp("keys") / "ada", "-t", "ecdsa")


def listed(key: Path) -> tuple[Signer, ...]:
    return parse(f"ada@example.org {key.with_suffix('.pub').read_text()}")


def test_the_signature_of_the_specification_is_ours() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    d = 97358161215184420915383655311931858321456579547487070936769975997791359926199
    made = eckeys.sign(
        ec.derive_private_key(d, ec.SECP256R1()),
        envelope.pae("http://example.com/HelloWorld", b"hello world"),
    )
    r, s = decode_dss_signature(made)
    raw = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    assert raw == (
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )


def test_a_signature_is_of_exactly_these_files(key: Path) -> None:
    made = modelsign.sign("delay", FILES, str(key))
    assert made == modelsign.sign("delay", FILES, str(key))
    whole = {**FILES, modelsign.FILE: Digest.of(made)}
    assert modelsign.check(made, whole, listed(key), name="delay", at=AT) == "ada@example.org"
    for other in (
        {**FILES, "more.txt": Digest.of(b"")},
        {**FILES, "card.md": Digest.of(b"# other")},
        {name: FILES[name] for name in ("model.onnx", "card.md")},
    ):
        with pytest.raises(IntegrityError) as caught:
            modelsign.check(made, other, listed(key), name="delay", at=AT)
        assert caught.value.code == "signature-of-others"
    with pytest.raises(IntegrityError, match="'delay', not for wait") as caught:
        modelsign.check(made, FILES, listed(key), name="wait", at=AT)
    assert caught.value.code == "signature-of-others"


def test_a_key_counts_in_its_time_and_for_models(key: Path) -> None:
    made = modelsign.sign("delay", FILES, str(key))
    public = key.with_suffix(".pub").read_text()

    def check(options: str) -> str:
        return modelsign.check(
            made, FILES, parse(f"ada@example.org {options} {public}"), name="delay", at=AT
        )

    for options in ('namespaces="git,mlops-*"', 'valid-after="20130101",valid-before="20130401"'):
        assert check(options) == "ada@example.org"
    for options, code in (
        ('valid-before="20130228"', "signer-expired"),
        ('valid-after="20130302"', "signer-expired"),
        ('namespaces="git,mlops-attestation"', "wrong-namespace"),
    ):
        with pytest.raises(StateRefused) as caught:
            check(options)
        assert caught.value.code == code


def test_an_identity_signs_where_identities_are_listed(
    key: Path, tmp_path: Path, sigstore: Sigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", sigstore.token())
    made = modelsign.sign_keyless("delay", FILES, str(sigstore.config(tmp_path / "config.json")))
    root = json.dumps(sigstore.trusted_root()).encode()
    own = Keyless(f"ada@example.org {sigstore.url}".encode(), root)
    whole = {**FILES, modelsign.FILE: Digest.of(made)}
    assert modelsign.check(made, whole, (), own, name="delay", at=AT) == "ada@example.org"
    with pytest.raises(IntegrityError) as others:
        modelsign.check(
            made, {**FILES, "card.md": Digest.of(b"# other")}, (), own, name="delay", at=AT
        )
    assert others.value.code == "signature-of-others"
    for signers, keyless in ((listed(key), None), (listed(key), Keyless(b"# nobody", root))):
        with pytest.raises(StateRefused) as refused:
            modelsign.check(made, FILES, signers, keyless, name="delay", at=AT)
        assert refused.value.code == "unknown-signer"
    value = json.loads(made)
    both = {**value["verificationMaterial"], "publicKey": {"hint": "x"}}
    with pytest.raises(IntegrityError) as two:
        data = json.dumps({**value, "verificationMaterial": both}).encode()
        modelsign.check(data, FILES, listed(key), own, name="delay", at=AT)
    assert two.value.code == "malformed-envelope"


def test_keys_in_pem_sign_and_others_are_refused(key: Path, tmp_path: Path) -> None:
    pem = tmp_path / "ada"
    pem.write_bytes(key.read_bytes())
    pem.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-m", "PKCS8", "-N", "", "-f", str(pem)],
        check=True,
        capture_output=True,
    )
    assert b"BEGIN PRIVATE KEY" in pem.read_bytes()
    assert modelsign.sign("delay", FILES, str(pem)) == modelsign.sign("delay", FILES, str(key))
    for bad in (keygen(tmp_path / "ed", "-t", "ed25519"), tmp_path / "junk"):
        (tmp_path / "junk").write_text("-----BEGIN PRIVATE KEY-----\n")
        with pytest.raises(ConfigError) as caught:
            modelsign.sign("delay", FILES, str(bad))
        assert caught.value.code == "unusable-key"
    with pytest.raises(NotFound):
        modelsign.sign("delay", FILES, str(tmp_path / "none"))


def test_forged_signatures_are_refused(key: Path, tmp_path: Path) -> None:
    made = json.loads(modelsign.sign("delay", FILES, str(key)))
    eve = keygen(tmp_path / "eve", "-t", "ecdsa")
    with pytest.raises(StateRefused) as refused:
        modelsign.check(
            modelsign.sign("delay", FILES, str(eve)), FILES, listed(key), name="delay", at=AT
        )
    assert refused.value.code == "unknown-signer"
    others = json.loads(modelsign.sign("delay", {"x": Digest.of(b"")}, str(key)))
    inner = made["dsseEnvelope"]
    for change, code in (
        (
            {"dsseEnvelope": {**inner, "payload": others["dsseEnvelope"]["payload"]}},
            "bad-signature",
        ),
        ({"dsseEnvelope": {**inner, "payloadType": "text/plain"}}, "bad-signature"),
        ({"mediaType": "application/json"}, "malformed-envelope"),
        ({"verificationMaterial": {}}, "malformed-envelope"),
        ({"dsseEnvelope": []}, "malformed-envelope"),
    ):
        with pytest.raises(IntegrityError) as caught:
            modelsign.check(
                json.dumps({**made, **change}).encode(), FILES, listed(key), name="delay", at=AT
            )
        assert caught.value.code == code
    for other, key_of_place, _ in mangled(made):
        with contextlib.suppress(IntegrityError, StateRefused):
            modelsign.check(json.dumps(other).encode(), FILES, listed(key), name="delay", at=AT)
            assert key_of_place in ("keyid", "tlogEntries")  # which nobody vouches for
    for data, code in ((b"[", "malformed-json"), (b" " * 10_000_000, "malformed-envelope")):
        with pytest.raises(IntegrityError) as caught:
            modelsign.check(data, FILES, listed(key), name="delay", at=AT)
        assert caught.value.code == code


@pytest.mark.parametrize("method", ["key", "sigstore"])
def test_the_reference_verifier_accepts_it(
    key: Path, tmp_path: Path, sigstore: Sigstore, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    folder = tmp_path / "delay"
    folder.mkdir()
    contents = {"model.onnx": b"a model", "schema.json": b"{}", "card.md": b"# card"}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    if method == "key":
        made = modelsign.sign("delay", FILES, str(key))
        exported = ["ssh-keygen", "-e", "-m", "PKCS8", "-f", f"{key}.pub"]
        pem = subprocess.run(exported, check=True, capture_output=True).stdout
        (tmp_path / "key.pem").write_bytes(pem)
        more = ["--public_key", str(tmp_path / "key.pem")]
    else:
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", sigstore.token())
        config = str(sigstore.config(tmp_path / "config.json"))
        made = modelsign.sign_keyless("delay", FILES, config)
        more = ["--trust_config", config, "--identity", "ada@example.org"]
        more += ["--identity_provider", sigstore.url]
    (folder / modelsign.FILE).write_bytes(made)
    program = Path(sys.executable).with_name("model_signing")
    words = (program, "verify", method, folder, "--signature", folder / modelsign.FILE, *more)

    def verify() -> int:
        return subprocess.run(words, check=False).returncode

    assert verify() == 0
    (folder / "card.md").write_text("# another")
    assert verify() == 1


def test_keys_that_no_library_reads_are_named_not_raised(key: Path, tmp_path: Path) -> None:
    private = Path(keygen(tmp_path / "ed", "-t", "ed25519")).read_text().splitlines()
    raw = base64.b64decode("".join(private[1:-1])).replace(b"ssh-ed25519", b"ssh-ed25518")
    private[1:-1] = [base64.b64encode(raw).decode()]
    (tmp_path / "odd").write_text("\n".join(private) + "\n")
    with pytest.raises(ConfigError) as caught:
        modelsign.sign("delay", FILES, str(tmp_path / "odd"))
    assert caught.value.code == "unusable-key"
    kind, blob = key.with_suffix(".pub").read_text().split()[:2]
    assert eckeys.public(base64.b64decode(blob)) is not None
    other = base64.b64decode(blob).replace(b"nistp256", b"nistp255")
    for odd in (other, b"", b"\xff" * 9, base64.b64decode(blob)[:40]):
        assert eckeys.public(odd) is None
    assert kind == "ecdsa-sha2-nistp256"


def test_a_certificate_is_no_key_of_the_list(key: Path, tmp_path: Path) -> None:
    public = tmp_path / "ada.pub"
    public.write_bytes(key.with_suffix(".pub").read_bytes())
    words = ("-s", str(keygen(tmp_path / "ca", "-t", "ed25519")), "-I", "ada", "-n", "ada")
    subprocess.run(["ssh-keygen", "-q", *words, str(public)], check=True)
    signers = parse(f"ada@example.org {(tmp_path / 'ada-cert.pub').read_text()}")
    with pytest.raises(StateRefused) as caught:
        modelsign.check(
            modelsign.sign("delay", FILES, str(key)), FILES, signers, name="delay", at=AT
        )
    assert caught.value.code == "unknown-signer"
