"""model.sig: a signature of a folder of files that OpenSSF model signing verifies.

The bundle of sigstore around a DSSE envelope around an in-toto statement that lists each file; made
from digests that the cache knows, so that no model is read again. Keys are of ECDSA.

https://github.com/sigstore/model-transparency
https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.registry import eckeys, envelope
from mlops_cli.registry.allowed import Signer
from mlops_cli.store.digest import Digest

FILE = "model.sig"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://model_signing/signature/v1.0"


def sign(name: str, files: Mapping[str, Digest], key: str) -> bytes:
    """Return the signature of the folder `name` with `files` by the private key at `key`.

    The key is a PEM file or one of ssh, of the curve P-256, P-384 or P-521. Raises MissingExtra,
    NotFound ("no-such-key"), ConfigError ("unusable-key").
    """
    private = eckeys.private(key)
    payload = canonical_json(_statement(name, files))
    made = eckeys.sign(private, envelope.pae(envelope.INTOTO, payload))
    return canonical_json(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "publicKey": {"hint": eckeys.hint(private.public_key())},
                "tlogEntries": [],
            },
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": envelope.INTOTO,
                "signatures": [{"keyid": "", "sig": base64.b64encode(made).decode()}],
            },
        }
    )


def check(data: bytes, files: Mapping[str, Digest], signers: tuple[Signer, ...]) -> str:
    """Return the principal whose key made the signature `data` of exactly `files`.

    Raises IntegrityError ("malformed-envelope", "bad-signature", "signature-of-others"),
    StateRefused ("unknown-signer"), MissingExtra.
    """
    if len(data) > envelope.LONGEST:
        raise _malformed(f"it has {len(data):,} bytes, {envelope.LONGEST:,} are the most")
    value = parse_json(data, source=FILE)
    try:
        hint = value["verificationMaterial"]["publicKey"]["hint"]
        inner = envelope.parse(canonical_json(value["dsseEnvelope"]), source=FILE)
        media = value["mediaType"]
    except (KeyError, TypeError) as exc:
        raise _malformed(f"it has no {exc}") from exc
    if media != BUNDLE or inner.kind != envelope.INTOTO:
        raise _malformed("it is of another type")
    signer, public = _known(hint, signers)
    if not eckeys.good(public, inner.signatures[0][1], envelope.pae(inner.kind, inner.payload)):
        raise IntegrityError(
            f"the signature in {FILE} is not of its own statement",
            code="bad-signature",
            hint="what was signed has been changed since",
        )
    listed = _listed(parse_json(inner.payload, source=FILE))
    wanted = {name: digest.hex for name, digest in files.items() if name != FILE}
    if listed != wanted:
        other = sorted(n for n in {*listed, *wanted} if listed.get(n) != wanted.get(n))
        raise IntegrityError(
            f"{FILE} was made for other files: {', '.join(other[:5])}",
            code="signature-of-others",
            hint="a file was added, taken away or changed after it was signed",
            details={"files": other},
        )
    return signer.principal


def _statement(name: str, files: Mapping[str, Digest]) -> dict[str, Any]:
    """Return the statement of the files, sorted by name; its subject is the hash of all hashes."""
    listed = sorted((file, digest.hex) for file, digest in files.items() if file != FILE)
    whole = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in listed))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": whole.hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [FILE],
            },
            "resources": [
                {"name": file, "algorithm": "sha256", "digest": digest} for file, digest in listed
            ],
        },
    }


def _listed(statement: Any) -> dict[str, str]:
    try:
        if statement["predicateType"] != PREDICATE:
            raise _malformed("it is a statement of another type")
        rows = statement["predicate"]["resources"]
        if any(row["algorithm"] != "sha256" for row in rows):
            raise _malformed("its files are named by another hash than sha256")
        return {row["name"]: row["digest"] for row in rows}
    except (KeyError, TypeError) as exc:
        raise _malformed(f"it has no {exc}") from exc


def _known(hint: Any, signers: tuple[Signer, ...]) -> tuple[Signer, Any]:
    """Return the allowed signer whose key the hint names, with that key."""
    for signer in signers:
        key = eckeys.public(signer.key)
        if key is not None and eckeys.hint(key) == hint:
            return signer, key
    raise StateRefused(
        f"the key of {FILE} is not among the allowed signers",
        code="unknown-signer",
        hint="if it should be, add a line for it to .mlops/allowed_signers"
        " on the protected branch: ssh-keygen -i -m PKCS8 -f key.pem",
        details={"hint": hint},
    )


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        f"{FILE} cannot be read: {why}",
        code="malformed-envelope",
        hint="it was damaged, or made by something else than model signing with a key",
    )
