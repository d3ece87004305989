"""Signatures by ssh keys, and the file that says whose count: what `ssh-keygen -Y` does.

https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
ALLOWED SIGNERS in ssh-keygen(1)
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld, StateRefused
from mlops_cli.registry.allowed import counting, fingerprint, parse
from mlops_cli.registry.keys import literal

_LONGEST = 32 * 1024  # an RSA key of 16384 bits makes about 6 KiB
_HEAD, _FOOT = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class Seal:
    """What a signature says of itself: by which key and for what. Proves nothing yet."""

    key: bytes
    namespace: str

    @property
    def fingerprint(self) -> str:
        """The key as ssh names it: SHA256:…"""
        return fingerprint(self.key)


def sign(payload: bytes, namespace: str, key: str) -> str:
    """Return the signature of `payload` by `key`, armoured, for this `namespace` alone.

    `key` is the path of a private key, of a public one whose private half an agent holds, or such
    a public key itself. Raises NotFound ("no-such-key"), OutsideWorld ("signing-failed",
    "ssh-missing").
    """
    return sign_all([payload], namespace, key)[0]


def sign_all(payloads: Sequence[bytes], namespace: str, key: str) -> list[str]:
    """Return the signature of each of `payloads`, all made by one process. Raises as `sign`."""
    with tempfile.TemporaryDirectory(prefix="mlops-sign-") as folder:
        place = Path(key).expanduser()
        if public := literal(key):
            place = Path(folder, "key.pub")
            place.write_text(public + "\n", encoding="utf-8")
        elif not place.is_file():
            raise NotFound(
                f"there is no signing key {key}",
                code="no-such-key",
                hint="ssh-keygen -t ed25519; mlops config set --user signing.key ~/.ssh/id_ed25519",
            )
        files = [Path(folder, str(number)) for number in range(len(payloads))]
        for file, payload in zip(files, payloads, strict=True):
            file.write_bytes(payload)
        code, why = _ssh(("sign", "-f", str(place), "-n", namespace, *map(str, files)))
        if code == 0:
            return [Path(f"{file}.sig").read_text() for file in files]
    raise OutsideWorld(
        f"{key} did not sign: {why}",
        code="signing-failed",
        hint="does the agent hold it? ssh-add -l",
        details={"key": key},
    )


def check(
    payload: bytes, signature: str, namespace: str, allowed: bytes | str, *, at: datetime
) -> str:
    """Return the principal by whose key `payload` was signed, as the file `allowed` names it.

    `allowed` are the bytes of an allowed-signers file, its dates taken as UTC and held against
    `at`. Raises StateRefused ("unknown-signer", "signer-expired", "wrong-namespace"),
    IntegrityError ("malformed-signature", "bad-signature" when other bytes were signed).
    """
    found = seal(signature)
    if found.namespace != namespace:
        raise StateRefused(
            f"a signature for {found.namespace!r} was shown where one for {namespace!r} is asked",
            code="wrong-namespace",
            hint=f"ssh-keygen -Y sign -n {namespace}",
            details={"fingerprint": found.fingerprint, "namespace": found.namespace},
        )
    text = allowed if isinstance(allowed, str) else allowed.decode("utf-8", "replace")
    signer = counting(found.key, parse(text), namespace, at)
    with tempfile.TemporaryDirectory(prefix="mlops-check-") as folder:
        shown, listed = Path(folder, "signature"), Path(folder, "allowed")
        shown.write_text(signature, encoding="utf-8")
        listed.write_text(text, encoding="utf-8")
        moment = at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        code, why = _ssh(
            (
                *("verify", "-f", str(listed), "-I", signer.principal, "-n", namespace),
                *("-s", str(shown), "-O", f"verify-time={moment}"),
            ),
            payload,
        )
    if code != 0:
        raise IntegrityError(
            f"the signature of {signer.principal} is not of these bytes",
            code="bad-signature",
            hint="what was signed has been changed since, or the signature is of something else",
            details={"fingerprint": found.fingerprint, "said": why},
        )
    return signer.principal


def seal(signature: str) -> Seal:
    """Return what `signature` says of itself. Raises IntegrityError ("malformed-signature")."""
    lines = signature[:_LONGEST].split()
    body = "".join(lines[3:-3])
    if " ".join((*lines[:3], *lines[-3:])) != f"{_HEAD} {_FOOT}" or len(signature) > _LONGEST:
        raise _malformed("it is not the armoured signature of an ssh key")
    try:
        blob = base64.b64decode(body, validate=True)
        if blob[:10] != b"SSHSIG\0\0\0\1":
            raise _malformed("it is not version 1 of SSHSIG")
        key, rest = _string(blob[10:])
        namespace, _ = _string(rest)
        return Seal(key, namespace.decode("utf-8"))
    except ValueError as exc:
        raise _malformed("its base64 or a name in it cannot be read") from exc


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Return the string at the start of `data`, and what follows (RFC 4251, 5)."""
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < max(4, end):
        raise _malformed("it ends too early")
    return data[4:end], data[end:]


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        f"a signature cannot be read: {why}",
        code="malformed-signature",
        hint="it was damaged or cut off; fetch it again from a clone that is sound",
    )


def _ssh(args: Sequence[str], payload: bytes = b"") -> tuple[int, str]:
    """Run ssh-keygen -Y and return its exit status and the last line that it said."""
    import subprocess

    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *args],
            input=payload,
            capture_output=True,
            # TZ: dates in allowed_signers mean the same moment on every machine
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            check=False,
        )
    except FileNotFoundError as exc:
        raise OutsideWorld(
            "the command ssh-keygen is not installed",
            code="ssh-missing",
            hint="install OpenSSH 8.9 or newer",
        ) from exc
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, said[-1] if said else ""
