"""ECDSA keys of P-256, P-384 and P-521, of ssh or in PEM: the door to cryptography."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError, MissingExtra, NotFound

_HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
_KINDS = tuple(f"ecdsa-sha2-nistp{bits}".encode() for bits in (256, 384, 521))  # no certificates


def private(key: str) -> Any:
    """Return the private key in the file `key`.

    Raises MissingExtra, NotFound ("no-such-key"), ConfigError ("unusable-key").
    """
    ec, loading = _door()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        data = Path(key).read_bytes()
    except OSError as exc:
        raise NotFound(
            f"there is no key {key} to sign models with",
            code="no-such-key",
            hint="ssh-keygen -t ecdsa -f ~/.ssh/models; mlops config set --user"
            " signing.model_key ~/.ssh/models",
        ) from exc
    of_ssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = loading.load_ssh_private_key if of_ssh else loading.load_pem_private_key
    try:
        found = load(data, None)
        if isinstance(found, ec.EllipticCurvePrivateKey) and found.curve.name in _HASHES:
            return found
        why = "it is not of ECDSA on P-256, P-384 or P-521"
    except TypeError:
        why = "it is locked by a passphrase"
    except (ValueError, UnsupportedAlgorithm) as exc:
        why = str(exc)
    raise ConfigError(
        f"{key} cannot sign models: {why}",
        code="unusable-key",
        hint="ssh-keygen -t ecdsa -N '' -f ~/.ssh/models makes one that can",
    )


def public(blob: bytes) -> Any | None:
    """Return the public key in these bytes of ssh, None where it is none of ECDSA."""
    _, loading = _door()
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    if kind not in _KINDS:
        return None
    try:
        return loading.load_ssh_public_key(kind + b" " + base64.b64encode(blob))
    except ValueError:
        return None


def sign(key: Any, message: bytes) -> bytes:
    """Return the signature of `message`; the same each time (RFC 6979)."""
    made: bytes = key.sign(message, _algorithm(key))
    return made


def good(key: Any, signature: bytes, message: bytes) -> bool:
    """Tell whether the private half of the public `key` made this signature of `message`."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message, _algorithm(key))
    except InvalidSignature:
        return False
    return True


def hint(key: Any) -> str:
    """Return how a bundle of sigstore names a public key: the SHA-256 of its PEM."""
    _, loading = _door()
    layout = loading.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(loading.Encoding.PEM, layout)).hexdigest()


def _algorithm(key: Any) -> Any:
    from cryptography.hazmat.primitives import hashes

    ec, _ = _door()
    return ec.ECDSA(getattr(hashes, _HASHES[key.curve.name])(), deterministic_signing=True)


def _door() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as exc:
        raise MissingExtra.of("cryptography", "sign") from exc
    return ec, serialization
