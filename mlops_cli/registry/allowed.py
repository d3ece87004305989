"""Who may sign: `.mlops/allowed_signers`, the file of ALLOWED SIGNERS in ssh-keygen(1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from mlops_cli.errors import ConfigError

FILE = ".mlops/allowed_signers"

_LINE = re.compile(
    r"(?P<principals>\"[^\"]*\"|\S+)\s+"
    r"(?:(?P<options>(?:[a-z-]+(?:=\"[^\"]*\")?)(?:,[a-z-]+(?:=\"[^\"]*\")?)*)\s+)?"
    r"(?P<type>(?:ssh|ecdsa|sk)-[a-z0-9@.-]+)\s+(?P<key>[A-Za-z0-9+/=]+)(?:\s.*)?",
    re.IGNORECASE,
)
_OPTION = re.compile(r"([a-z-]+)(?:=\"([^\"]*)\")?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signer:
    """One line: a key, whose it is, for what and from when to when it counts."""

    principal: str
    key: bytes
    namespaces: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None

    def valid(self, at: datetime) -> bool:
        """Return whether the key counts at that time."""
        return not (self.after and at < self.after) and not (self.before and at > self.before)

    def signs(self, namespace: str) -> bool:
        """Return whether the key may sign for `namespace`; without a list it may for any."""
        return not self.namespaces or any(fnmatchcase(namespace, p) for p in self.namespaces)


def parse(text: str) -> tuple[Signer, ...]:
    """Return the signers that an allowed-signers file lists.

    Lines of a certificate authority are left out: certificates are not taken.
    Raises ConfigError ("bad-allowed-signers") with the line, for what is not read as it was meant
    would let in, or shut out, the wrong one.
    """
    return tuple(_signers(text))


def _signers(text: str) -> Iterator[Signer]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise _bad(number, "it is not: principal [options] key-type key")
        found = dict(_OPTION.findall(match["options"] or ""))
        options = {name.lower(): value for name, value in found.items()}
        if unknown := set(options) - {
            "namespaces",
            "valid-after",
            "valid-before",
            "cert-authority",
        }:
            raise _bad(number, f"there is no option {min(unknown)!r}")
        if "cert-authority" in options:
            continue
        names = [name for name in match["principals"].strip('"').split(",") if name[:1] != "!"]
        if not names or not names[0]:
            raise _bad(number, "nobody is named")
        try:
            key = base64.b64decode(match["key"], validate=True)
            after, before = (_moment(options.get(f"valid-{what}")) for what in ("after", "before"))
        except (binascii.Error, ValueError) as exc:
            raise _bad(number, "its key or a date cannot be read") from exc
        spaces = tuple(filter(None, options.get("namespaces", "").split(",")))
        yield Signer(names[0], key, spaces, after, before)


def _moment(text: str | None) -> datetime | None:
    """Return the time that YYYYMMDD[HHMM[SS]][Z] says, in UTC."""
    if text is None:
        return None
    digits = text.removesuffix("Z")
    layouts = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if len(digits) not in layouts:
        raise ValueError(text)
    return datetime.strptime(digits, layouts[len(digits)]).replace(tzinfo=UTC)


def _bad(line: int, why: str) -> ConfigError:
    return ConfigError(
        f"{FILE}:{line}: {why}",
        code="bad-allowed-signers",
        hint='a line: ada@example.org namespaces="mlops" ssh-ed25519 AAAA…',
        details={"file": FILE, "line": line},
    )
