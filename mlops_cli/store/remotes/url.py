"""The URL of a remote: one spelling, a short name, and never a secret in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlops_cli.errors import ConfigError

DIRECTORY = ("file", "local")
SECRET = ("secret", "token", "password", "account_key", "sas_", "connection_string", "passphrase")


def absolute_url(url: str, root: Path) -> str:
    """Return `url` in one spelling; a plain or relative path becomes a file:// URL."""
    protocol, separator, rest = url.partition("://")
    if not separator:
        protocol, rest = "file", url
    if protocol in DIRECTORY:
        path = rest if rest.startswith("/") else os.path.join(root, os.path.expanduser(rest))
        return "file://" + os.path.normpath(path)
    return f"{protocol}://{rest.rstrip('/')}"


def refuse_credentials(url: str) -> None:
    """Raise ConfigError ("credentials-in-url") for a URL that would put a secret into git."""
    protocol, separator, rest = url.partition("://")
    if separator and protocol not in DIRECTORY and "@" in rest.partition("/")[0]:
        user = rest.partition("@")[0].partition(":")[0]
        if ":" in rest.partition("@")[0] or protocol in ("s3", "s3a", "gs", "az"):
            raise ConfigError(
                f"the URL of the remote holds credentials (of {user[:4]}…), and would be committed",
                code="credentials-in-url",
                hint="leave them out; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name "
                "a profile with --profile",
            )


def refuse_secrets(options: Mapping[str, Any]) -> None:
    """Raise ConfigError ("credentials-in-settings") for a setting that holds a secret."""
    for name in options.get("fsspec") or {}:
        if any(word in name.lower() for word in SECRET):
            raise ConfigError(
                f"the setting fsspec.{name} of the remote is a secret, and would be committed",
                code="credentials-in-settings",
                hint="take it out of the settings (mlops config list) and of git's history; the "
                "environment or a profile is the place for it",
            )


def remote_id(url: str) -> str:
    """Return a short name for the remote at the absolute `url`, for what is remembered of it."""
    return sha256(url.encode()).hexdigest()[:16]
