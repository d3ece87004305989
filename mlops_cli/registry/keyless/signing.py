"""Signing as an identity: a key that is certified for some minutes, used once and forgotten.

An authority (Fulcio) certifies the key for whom a token of OpenID names; a log that only grows
(Rekor) witnesses the signature and when it was made.

https://docs.sigstore.dev/about/security/
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from mlops_cli.errors import ConfigError, MlopsError, NotFound, OutsideWorld
from mlops_cli.registry.keyless.door import open_door, verifier, why

PUBLIC = "public"  # the instance that everybody may use
TOKEN = "SIGSTORE_ID_TOKEN"  # where cosign and GitLab look for it, too


def sign(statement: bytes, instance: str, *, patience: float = 120) -> bytes:
    """Return the bundle of sigstore around an in-toto statement, signed by whom the environment
    names: a token in SIGSTORE_ID_TOKEN, or what the CI service hands out.

    `instance` is "public", or the path of the client trust config of another one; its services
    have `patience` seconds. Raises MissingExtra, NotFound ("no-identity", "no-trust-config"),
    ConfigError ("bad-trust-config", "unusable-identity"), OutsideWorld ("signing-failed").
    """
    open_door()
    from sigstore.dsse import Statement
    from sigstore.models import Bundle
    from sigstore.sign import SigningContext
    from sigstore.verify.policy import UnsafeNoOp

    def work() -> bytes:
        config = _instance(instance)
        with SigningContext.from_trust_config(config).signer(_token()) as signer:
            made = bytes(signer.sign_dsse(Statement(statement)).to_json().encode())
        # what its own authorities would not confirm is noticed before a version has it
        verifier(config.trusted_root).verify_dsse(Bundle.from_json(made), UnsafeNoOp())
        return made

    try:
        return _within(patience, work)
    except MlopsError:
        raise
    except Exception as exc:  # it names its own failures, and lets those of libraries through
        raise OutsideWorld(
            f"sigstore did not sign: {why(exc)}",
            code="signing-failed",
            hint="is the service up (status.sigstore.dev), and the token not older than minutes?",
        ) from exc


def _within(seconds: float, work: Callable[[], bytes]) -> bytes:
    """Return what `work` does. Raises TimeoutError where it takes longer: the requests of
    sigstore would wait for ever, and so would the job."""
    answers: SimpleQueue[bytes | Exception] = SimpleQueue()

    def run() -> None:
        try:
            answers.put(work())
        except Exception as exc:
            answers.put(exc)

    Thread(target=run, daemon=True).start()  # which does not keep the process from ending
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _token() -> Any:
    """Return the token of who runs this. Raises NotFound, ConfigError ("unusable-identity")."""
    from sigstore.oidc import IdentityError, IdentityToken, detect_credential

    try:
        raw = os.environ.get(TOKEN) or detect_credential()
        if raw:
            return IdentityToken(raw)
    except IdentityError as exc:
        raise ConfigError(
            f"nobody can sign as this identity: {why(exc)}",
            code="unusable-identity",
            hint="a token for the audience sigstore that is valid now; on GitHub the permission"
            " id-token: write",
        ) from exc
    raise NotFound(
        "there is no identity here to sign with",
        code="no-identity",
        hint=f"in CI, give the job an id token for the audience sigstore; else set {TOKEN}",
    )


def _instance(instance: str) -> Any:
    """Return the addresses and the trusted root to sign with."""
    from sigstore.models import ClientTrustConfig

    if instance == PUBLIC:
        return ClientTrustConfig.production()
    try:
        return ClientTrustConfig.from_json(Path(instance).read_text())
    except OSError as exc:
        raise NotFound(
            f"there is no client trust config {instance}",
            code="no-trust-config",
            hint="mlops config set signing.sigstore public, or the path of one",
        ) from exc
    except Exception as exc:
        raise ConfigError(
            f"{instance} is no client trust config: {why(exc)}",
            code="bad-trust-config",
            hint="the one that `model_signing --trust_config` takes",
        ) from exc
