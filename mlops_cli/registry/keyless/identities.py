"""Who may sign without a key of their own: `.mlops/allowed_identities`, one identity a line.

# identity issuer [valid-after="…",valid-before="…"]
https://github.com/example/storms/.github/workflows/*.yml@refs/heads/main https://token.actions…
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlops_cli.errors import ConfigError
from mlops_cli.registry import allowed
from mlops_cli.registry.allowed import Term

FILE = ".mlops/allowed_identities"
ROOT = ".mlops/trusted_root.json"

_ISSUER = re.compile(r"https?://[^*]+")
# a star stands for no host, no owner of repositories and no domain of addresses
_FIXED = re.compile(r"[^*]*|https?://[^/*]+/[^/*]+/.*|[^@/]*@[^@/*]+")


@dataclass(frozen=True, slots=True)
class Keyless:
    """What the protected branch says of signatures without a key: the bytes of the list, and of
    the trusted root where it has one; sigstore's own where not."""

    listed: bytes
    root: bytes | None


@dataclass(frozen=True, slots=True)
class Identity:
    """One line: a name that is exact but for stars, who has to have confirmed it, and when."""

    name: str
    issuer: str
    term: Term

    def means(self, name: str, issuer: str) -> bool:
        """Return whether that is who is meant. A star stands for what has no / and no @."""
        pattern = r"[^/@]*".join(map(re.escape, self.name.split("*")))
        return issuer == self.issuer and re.fullmatch(pattern, name) is not None


def parse(data: bytes) -> tuple[Identity, ...]:
    """Return the identities that the file lists. Raises ConfigError ("bad-allowed-identities")
    with the line, for one that is left out might be the wrong one."""
    return tuple(_identities(data.decode("utf-8", "replace")))


def _identities(text: str) -> Iterator[Identity]:
    for number, line in allowed.lines(text):
        name, issuer, options = (*re.split(r"[ \t]+", line, maxsplit=2), "", "")[:3]
        if not _ISSUER.fullmatch(issuer):
            raise _bad(number, "it is not: identity https://issuer [options]")
        if not _FIXED.fullmatch(name):
            raise _bad(number, "a * may not stand for a host, an owner or a domain")
        try:
            found = allowed.options(options)
            if unknown := set(found) - set(allowed.TERM):
                raise _bad(number, f"there is no option {min(unknown)!r}")
            yield Identity(name, issuer, allowed.term(found))
        except ValueError as exc:
            raise _bad(number, "its options cannot be read") from exc


def _bad(line: int, why: str) -> ConfigError:
    return ConfigError(
        f"{FILE}:{line}: {why}",
        code="bad-allowed-identities",
        hint="a line: ada@example.org https://accounts.google.com",
        details={"file": FILE, "line": line},
    )
