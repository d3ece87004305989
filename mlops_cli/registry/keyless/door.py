"""sigstore, and whose signatures it takes: those of a trusted root.

This folder is the door: nothing outside it imports sigstore.
"""

from __future__ import annotations

import logging
from typing import Any

from mlops_cli.errors import ConfigError, MissingExtra
from mlops_cli.registry.keyless import identities


def trusted(data: bytes | None) -> Any:
    """Return the trusted root in `data`; the one that sigstore brings or fetched last for None."""
    from sigstore.models import ClientTrustConfig, TrustedRoot
    from sigstore_models.trustroot.v1 import TrustedRoot as Plain

    try:
        if data is None:
            return ClientTrustConfig.production(offline=True).trusted_root
        return TrustedRoot(Plain.from_json(data))
    except Exception as exc:
        raise _bad_root(exc) from exc


def verifier(root: Any) -> Any:
    """Return who judges by a trusted root."""
    from sigstore.verify import Verifier

    try:
        return Verifier(trusted_root=root)
    except Exception as exc:
        raise _bad_root(exc) from exc


def _bad_root(exc: Exception) -> ConfigError:
    return ConfigError(
        f"the trusted root of sigstore cannot be used: {why(exc)}",
        code="bad-trusted-root",
        hint=f"{identities.ROOT} on the protected branch is a trusted_root.json, or is not there",
    )


def why(exc: BaseException) -> str:
    """Return the first line of what an error says; some of Fulcio have only a cause."""
    said = str(exc) or str(exc.__cause__ or "") or type(exc).__name__
    return said.splitlines()[0][:300]


def open_door() -> None:
    """Raise MissingExtra where sigstore is not installed."""
    try:
        import sigstore.models  # noqa: F401
    except ImportError as exc:
        raise MissingExtra.of("sigstore", "sigstore") from exc
    # it warns of what is meant: that it works offline
    logging.getLogger("sigstore").setLevel(logging.ERROR)
