"""Whose endpoints may see our credentials: AWS's own, and those that the person at work chose.

Settings of another repository, and pointers in it, say where its data is. Requests go there with
the credentials of whoever reads; what is signed keeps the secret key, but not a session token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlops_cli.config import Settings
from mlops_cli.errors import StateRefused

OWN = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
LEADS = ("endpoint", "host", "url", "proxy", "domain")  # options of fsspec that say where to


@dataclass(frozen=True, slots=True)
class Trust:
    """Endpoints that were chosen here."""

    endpoints: frozenset[str] = frozenset()

    def refuse(self, owner: str, url: str, options: Mapping[str, Any]) -> None:
        """Raise StateRefused ("foreign-endpoint") where a remote or source that `owner` names
        would take our credentials to somebody else."""
        inner = options.get("fsspec") or {}
        if options.get("anonymous") is True and not inner:
            return
        for endpoint in _endpoints(options):
            if not self._known(endpoint):
                raise StateRefused(
                    f"{owner} keeps {url} at {endpoint}, which would see your credentials",
                    code="foreign-endpoint",
                    hint="if that is right: mlops config set --user trust.endpoint.NAME "
                    f"{endpoint}",
                    details={"owner": owner, "url": url, "endpoint": endpoint},
                )

    def _known(self, endpoint: str) -> bool:
        scheme, place, host = _split(endpoint)
        if scheme == "https" and f".{host}".endswith(AWS):
            return True
        chosen = [_split(one) for one in self.endpoints]
        # a token that went encrypted until now is not to go in the open
        same = [one for one in chosen if one[1] == place]
        return any(one[0] == scheme or scheme == "https" for one in same)


def trust(settings: Settings, environment: Mapping[str, str]) -> Trust:
    """Return what the settings of the person (and of the project they work in) chose."""
    found = [environment.get(name) for name in OWN]
    for values in settings.group("remotes").values():
        found += [values.get("endpoint"), values.get("fsspec.endpoint_url")]
    found += [values.get("") for values in settings.group("trust.endpoint").values()]
    return Trust(frozenset(str(one) for one in found if one))


def _endpoints(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("endpoint"):
        yield str(options["endpoint"])
    for name, value in (options.get("fsspec") or {}).items():
        if any(word in name.lower() for word in LEADS):
            yield str(value)


def _split(endpoint: str) -> tuple[str, str, str]:
    """Return scheme, host with port, and host; without a scheme, as if encrypted."""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    port = port or {"https": 443, "http": 80}.get(parts.scheme)
    host = (parts.hostname or "").rstrip(".")
    return parts.scheme, f"{host}:{port}", host
