"""Whether a bundle of sigstore is what it says, and by whom; nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import IntegrityError, MlopsError, StateRefused
from mlops_cli.registry.keyless import identities
from mlops_cli.registry.keyless.door import open_door, trusted, verifier, why
from mlops_cli.registry.keyless.identities import Identity

# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER, _ISSUER_BEFORE_2023 = "1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1"


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and by whom."""

    kind: str
    payload: bytes
    identity: str


def check(data: bytes, listed: Sequence[Identity], root: bytes | None) -> Signed:
    """Return what the bundle `data` signs, by an identity of the list.

    `root` is a trusted root of sigstore, its own where None. Dates of the list are held against
    the time that the log or a timestamp vouches for, to some minutes. Raises MissingExtra,
    IntegrityError ("malformed-envelope", "bad-signature"), StateRefused ("unknown-authority",
    "unknown-signer", "signer-expired"), ConfigError ("bad-trusted-root").
    """
    open_door()
    from sigstore.errors import CertValidationError
    from sigstore.models import Bundle

    judge = verifier(trusted(root))
    try:
        bundle = Bundle.from_json(data)
    except Exception as exc:  # hostile bytes: whatever a parser below raises
        raise IntegrityError(
            f"it is no bundle of sigstore: {why(exc)}",
            code="malformed-envelope",
            hint="it was damaged or cut off; fetch it again from a clone that is sound",
        ) from exc
    policy = _Listed(listed)
    try:
        kind, payload = judge.verify_dsse(bundle, policy)
    except MlopsError:
        raise
    except CertValidationError as exc:
        raise StateRefused(
            "it was signed with a certificate that the trusted root does not vouch for, or not"
            " while that was valid",
            code="unknown-authority",
            hint=f"of another instance, or newer than the trusted root: {identities.ROOT}",
            details={"said": why(exc)},
        ) from exc
    except Exception as exc:  # as above
        raise IntegrityError(
            f"its proof does not hold: {why(exc)}",
            code="bad-signature",
            hint="what was signed has been changed since, or the trusted root is an old one",
        ) from exc
    return Signed(kind, payload, policy.found)


class _Listed:
    """What sigstore calls a policy: the certificate names somebody on the list."""

    def __init__(self, listed: Sequence[Identity]) -> None:
        self._listed = listed
        self.found = ""

    def verify(self, cert: Any) -> None:
        name, issuer = _named(cert)
        meant = [each for each in self._listed if each.means(name, issuer)]
        # within its validity the signature was made; sigstore confirms that
        if any(each.term.holds(cert.not_valid_before_utc) for each in meant):
            self.found = name
            return
        details = {"identity": name, "issuer": issuer}
        if meant:
            raise StateRefused(
                f"{name} did not count at {cert.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                code="signer-expired",
                hint=f"valid-after and valid-before in {identities.FILE} say when it does",
                details=details,
            )
        raise StateRefused(
            f"{name} of {issuer} is not among the allowed identities",
            code="unknown-signer",
            hint=f"if it should be, add a line for it to {identities.FILE} on the protected branch",
            details=details,
        )


def _named(cert: Any) -> tuple[str, str]:
    """Return whom a certificate of Fulcio names, and who confirmed that."""
    from cryptography import x509
    from cryptography.hazmat import asn1

    names = list(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier)
    if len(names) != 1 or not isinstance(names[0], kinds):
        raise ValueError("the certificate names no one address or workflow")
    said = {each.oid.dotted_string: each.value for each in cert.extensions}
    if _ISSUER in said:
        issuer = asn1.decode_der(str, said[_ISSUER].value)
    else:
        issuer = said[_ISSUER_BEFORE_2023].value.decode()
    return str(names[0].value), issuer
