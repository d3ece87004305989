"""The pin of an import: where the bytes came from and what was there. Stands in the pointer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest
from mlops_cli.store.sources.source import Version
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class GitPin:
    """A path of a git repository. `rev` is what was asked for, None for the default branch."""

    url: str
    path: str
    rev: str | None
    commit: str
    digest: Digest

    def __str__(self) -> str:
        return self.commit[:12]

    @property
    def fixed(self) -> bool:
        """Tell whether a commit was asked for, which never moves."""
        return self.rev is not None and len(self.rev) >= 7 and self.commit.startswith(self.rev)


@dataclass(frozen=True, slots=True)
class UrlPin:
    """A plain URL; `options` say how it is reached, never with a secret."""

    url: str
    version: Version
    digest: Digest
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.version)


def plain(pin: GitPin | UrlPin) -> dict[str, Any]:
    """Return the pin as it stands in a pointer."""
    value: dict[str, Any]
    if isinstance(pin, GitPin):
        value = {"kind": "git", "path": pin.path, "commit": pin.commit}
        if pin.rev is not None:
            value["rev"] = pin.rev
    else:
        value = {"kind": "url", **pin.version.plain()}
        if pin.options:
            value["options"] = dict(pin.options)
    return {**value, "url": pin.url, "digest": pin.digest}


def pin_of(one: Tracked) -> GitPin | UrlPin | None:
    """Return where `one` was imported from; None for what was not, or came in a way of its own.

    Raises IntegrityError ("malformed-pointer").
    """
    value = one.pin
    if value is None or value.get("kind") not in ("git", "url"):
        return None
    try:
        url, digest = _text(value, "url"), Digest.parse(value["digest"])
        if value["kind"] == "git":
            rev = _text(value, "rev") if "rev" in value else None
            return GitPin(url, _text(value, "path"), rev, _text(value, "commit"), digest)
        return UrlPin(url, Version.of(value), digest, dict(value.get("options", {})))
    except (KeyError, TypeError, ValueError) as exc:
        raise IntegrityError(
            f"{one.source} is not a pointer: its source cannot be read ({exc})",
            code="malformed-pointer",
            hint=f"restore it with `git checkout -- {one.source}`",
            details={"file": one.source},
        ) from exc


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is {text!r}")
    return text
