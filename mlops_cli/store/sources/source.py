"""A plain URL as a source of data: which are taken, and how one moment there differs from another.

What a URL had is told by the strongest sign its server gives: a version, an etag, or time and size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from mlops_cli.errors import ConfigError, OutsideWorld, UsageError
from mlops_cli.store.remotes.url import absolute_url, refuse_credentials

WEB = ("http", "https")
_SIGNED = ("signature", "token", "secret", "password", "api_key", "apikey", "access_key")


@dataclass(frozen=True, slots=True)
class Version:
    """What a URL had when it was looked at, as far as its server tells."""

    etag: str | None = None
    version: str | None = None
    modified: str | None = None
    size: int | None = None

    def same(self, other: Version) -> bool | None:
        """Tell whether both are of the same bytes; None where that cannot be told."""
        if self.version and other.version:
            return self.version == other.version
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        if self.etag and other.etag:
            return _opaque(self.etag) == _opaque(other.etag)
        if self.modified and other.modified:
            return self.modified == other.modified
        return None

    def plain(self) -> dict[str, Any]:
        """Return what is known, by name."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in known.items() if value is not None}

    @staticmethod
    def of(value: Mapping[str, Any]) -> Version:
        """Return the version in a pin; what is not of its type counts as not known."""
        size = value.get("size")
        etag, version, modified = (
            text if isinstance(text := value.get(name), str) else None
            for name in ("etag", "version", "modified")
        )
        return Version(etag, version, modified, size if isinstance(size, int) else None)

    def __str__(self) -> str:
        if self.version:
            return f"version {self.version}"
        return self.etag or self.modified or "unmarked"


class Stream(NamedTuple):
    """Bytes under way from `start` on: 0 where the server began again."""

    version: Version
    start: int
    blocks: Iterator[bytes]


class Broken(Exception):
    """A transfer that another try may finish; `error` is what to raise when none does."""

    def __init__(self, error: OutsideWorld, *, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after  # seconds, where the server says how long to wait


class Source(Protocol):
    """One file behind a URL. Its methods raise Broken where another try is worth it."""

    @property
    def url(self) -> str: ...

    def look(self) -> Version:
        """Return what is there now, without its bytes. Raises NotFound ("missing-source")."""
        ...

    def stream(self, start: int, noted: Version | None) -> Stream:
        """Return the bytes from `start` on if they still are those of `noted`, else all."""
        ...


def spell(url: str, *, start: Path) -> str:
    """Return `url` in one spelling; a path below `start` becomes file://.

    Raises UsageError ("bad-url"), ConfigError ("credentials-in-url").
    """
    if not url or url.startswith("-") or not url.isprintable() or "::" in url.partition("/")[0]:
        raise UsageError(
            f"{url!a} is no URL of data", code="bad-url", hint="https://…, s3://…, or a path"
        )
    protocol = url.partition("://")[0].lower()
    if protocol not in WEB:
        refuse_credentials(url)
        return absolute_url(url, start)
    parts = urlsplit(url)
    secrets = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if _secret(name)]
    if parts.username or parts.password or secrets:
        raise ConfigError(
            f"the URL holds a secret ({secrets[0] if secrets else 'credentials'}), and would be "
            "committed",
            code="credentials-in-url",
            hint="fetch it with a tool that keeps secrets, then mlops add it",
        )
    if not parts.hostname:
        raise UsageError(f"{url!a} names no host", code="bad-url", hint="https://host/path")
    return parts._replace(scheme=protocol, fragment="").geturl()


def name_of(url: str) -> str:
    """Return the last part of the path in `url`, which names the data here."""
    path = urlsplit(url).path if url.partition("://")[0] in WEB else url
    from urllib.parse import unquote

    return os.path.basename(unquote(path).rstrip("/"))


def _secret(name: str) -> bool:
    word = name.lower().replace("-", "_")
    return word == "sig" or any(part in word for part in _SIGNED)


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
