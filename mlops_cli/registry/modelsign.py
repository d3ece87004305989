"""model.sig: a signature of a folder of files that OpenSSF model signing verifies.

The bundle of sigstore around a DSSE envelope around an in-toto statement that lists each file; made
from digests that the cache knows, so that no model is read again. It is signed by a key of ECDSA,
or by an identity that sigstore confirms (keyless/).

https://github.com/sigstore/model-transparency
https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.registry import eckeys, envelope
from mlops_cli.registry.allowed import Signer, counting
from mlops_cli.registry.keyless import identities
from mlops_cli.registry.keyless.identities import Keyless
from mlops_cli.store.digest import Digest

FILE = "model.sig"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://model_signing/signature/v1.0"
NAMESPACE = "mlops-model"  # what a key may sign, in .mlops/allowed_signers; not in the signature


def sign(name: str, files: Mapping[str, Digest], key: str) -> bytes:
    """Return the signature of the folder `name` with `files` by the private key at `key`.

    The key is a PEM file or one of ssh, of the curve P-256, P-384 or P-521. Raises MissingExtra,
    NotFound ("no-such-key"), ConfigError ("unusable-key").
    """
    private = eckeys.private(key)
    payload = _statement(name, files)
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


def sign_keyless(name: str, files: Mapping[str, Digest], instance: str) -> bytes:
    """Return the signature of the folder by whom this environment names. Raises as
    `signing.sign`."""
    from mlops_cli.registry.keyless import signing  # a key needs nothing of it

    return signing.sign(_statement(name, files), instance)


def check(
    data: bytes,
    files: Mapping[str, Digest],
    listed: Sequence[Signer],
    unkeyed: Keyless | None = None,
    *,
    name: str,
    at: datetime,
) -> str:
    """Return who made the signature `data` of the model `name` with exactly `files`: a signer of
    the list, whose key counted `at`, or an identity.

    Raises IntegrityError ("malformed-envelope", "bad-signature", "signature-of-others"),
    StateRefused ("unknown-signer", "signer-expired", "wrong-namespace"), MissingExtra, and as
    `checking.check`.
    """
    if len(data) > envelope.LONGEST:
        raise _malformed(f"it has {len(data):,} bytes, {envelope.LONGEST:,} are the most")
    value = parse_json(data, source=FILE)
    try:
        material = set(value["verificationMaterial"])
        if value["mediaType"] != BUNDLE or len(material & {"publicKey", "certificate"}) != 1:
            raise _malformed("it is of another type")
        if "certificate" in material:
            kind, payload, who = _identified(data, unkeyed)
        else:
            kind, payload, who = _keyed(value, listed, at)
    except (KeyError, TypeError) as exc:
        raise _malformed(f"it has no {exc}") from exc
    if kind != envelope.INTOTO:
        raise _malformed("it is of another type")
    subject, signed = _said(parse_json(payload, source=FILE))
    if subject != name:
        raise IntegrityError(
            f"{FILE} was made for the model {subject!r}, not for {name}",
            code="signature-of-others",
            hint="the files of one model were registered as another",
        )
    wanted = {name: digest.hex for name, digest in files.items() if name != FILE}
    if signed != wanted:
        other = sorted(n for n in {*signed, *wanted} if signed.get(n) != wanted.get(n))
        raise IntegrityError(
            f"{FILE} was made for other files: {', '.join(other[:5])}",
            code="signature-of-others",
            hint="a file was added, taken away or changed after it was signed",
            details={"files": other},
        )
    return who


def _keyed(value: Any, listed: Sequence[Signer], at: datetime) -> tuple[str, bytes, str]:
    inner = envelope.understood(value["dsseEnvelope"], source=FILE)
    hint = value["verificationMaterial"]["publicKey"]["hint"]
    known = {eckeys.hint(key): each.key for each in listed if (key := eckeys.public(each.key))}
    if hint not in known:
        raise StateRefused(
            f"the key of {FILE} is not among the allowed signers",
            code="unknown-signer",
            hint="if it should be, add a line for it to .mlops/allowed_signers"
            " on the protected branch: ssh-keygen -i -m PKCS8 -f key.pem",
            details={"hint": hint},
        )
    signer = counting(known[hint], listed, NAMESPACE, at)
    told = envelope.pae(inner.kind, inner.payload)
    if not eckeys.good(eckeys.public(signer.key), inner.signatures[0][1], told):
        raise IntegrityError(
            f"the signature in {FILE} is not of its own statement",
            code="bad-signature",
            hint="what was signed has been changed since",
        )
    return inner.kind, inner.payload, signer.principal


def _identified(data: bytes, unkeyed: Keyless | None) -> tuple[str, bytes, str]:
    if unkeyed is None:
        raise StateRefused(
            f"{FILE} was signed without a key, and nobody is listed who may",
            code="unknown-signer",
            hint=f"list who may in {identities.FILE} on the protected branch",
        )
    from mlops_cli.registry.keyless import checking

    found = checking.check(data, identities.parse(unkeyed.listed), unkeyed.root)
    return found.kind, found.payload, found.identity


def _statement(name: str, files: Mapping[str, Digest]) -> bytes:
    """Return the statement of the files, sorted by name; its subject is the hash of all hashes."""
    listed = sorted((file, digest.hex) for file, digest in files.items() if file != FILE)
    whole = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in listed))
    return canonical_json(
        {
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
                    {"name": file, "algorithm": "sha256", "digest": digest}
                    for file, digest in listed
                ],
            },
        }
    )


def _said(statement: Any) -> tuple[str, dict[str, str]]:
    """Return the name of the folder and its files that a statement is about."""
    try:
        if statement["predicateType"] != PREDICATE:
            raise _malformed("it is a statement of another type")
        rows = statement["predicate"]["resources"]
        if any(row["algorithm"] != "sha256" for row in rows):
            raise _malformed("its files are named by another hash than sha256")
        found = {str(row["name"]): row["digest"] for row in rows}
        if len(found) != len(rows):
            raise _malformed("it lists a file twice")
        (subject,) = statement["subject"]
        return str(subject["name"]), found
    except (KeyError, TypeError, ValueError) as exc:
        raise _malformed(f"it has no {exc}") from exc


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        f"{FILE} cannot be read: {why}",
        code="malformed-envelope",
        hint="it was damaged, or made by something else than model signing",
    )
