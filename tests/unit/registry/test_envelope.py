"""DSSE: the vectors of the specification, and what an envelope may not be."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.registry import envelope
from mlops_cli.registry.envelope import Envelope

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = b'{"_type":"https://in-toto.io/Statement/v1"}'


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys") / "ada"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(place)], check=True
    )
    return place


def allowed(key: Path) -> str:
    return f"ada@example.org {key.with_suffix('.pub').read_text()}"


def test_the_encoding_is_that_of_the_specification() -> None:
    kind = "http://example.com/HelloWorld"
    assert envelope.pae(kind, b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert envelope.pae("", b"") == b"DSSEv1 0  0 "
    assert envelope.pae("é", b"\xff") == b"DSSEv1 2 \xc3\xa9 1 \xff"


def test_the_envelope_of_the_specification_is_read_in_either_alphabet() -> None:
    sig = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    for alphabet in (sig, sig.replace("+", "-").replace("/", "_")):
        shown = {
            "payload": "aGVsbG8gd29ybGQ=",
            "payloadType": "http://example.com/HelloWorld",
            "signatures": [{"sig": alphabet}],
        }
        read = envelope.parse(json.dumps(shown).encode(), source="the page")
        assert (read.kind, read.payload) == ("http://example.com/HelloWorld", b"hello world")
        assert read.signatures == (("", base64.b64decode(sig)),)


def test_what_was_signed_comes_back_with_its_signer(key: Path) -> None:
    (made,) = envelope.signed([WORDS], str(key))
    assert made.signatures[0][0].startswith("SHA256:")
    read = envelope.parse(made.data, source="it")
    assert read == made
    assert envelope.check(read, allowed(key), at=NOW) == ("ada@example.org",)
    stranger = Envelope(made.kind, made.payload, (("", b"no"), *made.signatures))
    assert envelope.check(stranger, allowed(key), at=NOW) == ("ada@example.org",)


def test_another_payload_type_or_payload_is_not_what_was_signed(key: Path) -> None:
    (made,) = envelope.signed([WORDS], str(key))
    lie = Envelope("text/plain", made.payload, made.signatures)
    for kind, code in (("text/plain", "bad-signature"), (envelope.INTOTO, "wrong-payload-type")):
        with pytest.raises(IntegrityError) as caught:
            envelope.check(lie, allowed(key), at=NOW, kind=kind)
        assert caught.value.code == code
    other = Envelope(made.kind, made.payload + b" ", made.signatures)
    with pytest.raises(IntegrityError) as caught:
        envelope.check(other, allowed(key), at=NOW)
    assert caught.value.code == "bad-signature"
    with pytest.raises(StateRefused) as refused:
        envelope.check(made, "# nobody\n", at=NOW)
    assert refused.value.code == "unknown-signer"


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b"3",
        b'{"payload":"aGk=","payloadType":"x","signatures":[]}',
        b'{"payload":"aGk=","payloadType":7,"signatures":[{"sig":""}]}',
        b'{"payload":"a!","payloadType":"x","signatures":[{"sig":""}]}',
        b'{"payload":"aGk=","payloadType":"x","signatures":[{"keyid":"x"}]}',
        b'{"payload":"aGk=","payloadType":"x","signatures":["sig"]}',
        b'{"payload":"aGk=","payloadType":"x","signatures":['
        + b'{"sig":""},' * 20
        + b'{"sig":""}]}',
        b'{"payload":"' + b"A" * 10_000_000 + b'"}',
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        envelope.parse(data, source="it")
    assert caught.value.code == "malformed-envelope"


def test_a_truncated_envelope_is_not_json(key: Path) -> None:
    data = envelope.signed([WORDS], str(key))[0].data
    with pytest.raises(IntegrityError) as caught:
        envelope.parse(data[:-20], source="it")
    assert caught.value.code == "malformed-json"
