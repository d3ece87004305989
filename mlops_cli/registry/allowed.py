"""Who may sign: `.mlops/allowed_signers`, the file of ALLOWED SIGNERS in ssh-keygen(1)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from mlops_cli.errors import ConfigError, StateRefused

FILE = ".mlops/allowed_signers"

_LINE = re.compile(
    r"(?P<principals>\"[^\"]*\"|[^ \t]+)[ \t]+"
    r"(?:(?P<options>(?:[a-z-]+(?:=\"[^\"]*\")?)(?:,[a-z-]+(?:=\"[^\"]*\")?)*)[ \t]+)?"
    r"(?P<type>(?:ssh|ecdsa|sk)-[a-z0-9@.-]+)[ \t]+(?P<key>[A-Za-z0-9+/=]+)(?:[ \t].*)?",
    re.IGNORECASE,
)
_OPTION = re.compile(r"([a-z-]+)(?:=\"([^\"]*)\")?(?:,(?=.)|$)", re.IGNORECASE)
TERM = ("valid-after", "valid-before")


@dataclass(frozen=True, slots=True)
class Term:
    """From when to when a line counts; for ever where nothing is said."""

    after: datetime | None = None
    before: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether the line counts at that time."""
        return not (self.after and at < self.after) and not (self.before and at > self.before)


@dataclass(frozen=True, slots=True)
class Signer:
    """One line: a key, whose it is, for what and from when to when it counts."""

    principal: str
    key: bytes
    namespaces: tuple[str, ...] = ()
    term: Term = Term()

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


def counting(key: bytes, listed: Sequence[Signer], namespace: str, at: datetime) -> Signer:
    """Return the line of the file by which the key counts then and for this.

    Raises StateRefused ("unknown-signer", "signer-expired", "wrong-namespace").
    """
    of_key = [signer for signer in listed if signer.key == key]
    details = {"fingerprint": fingerprint(key), "namespace": namespace}
    if not of_key:
        raise StateRefused(
            f"the key {details['fingerprint']} is not among the allowed signers",
            code="unknown-signer",
            hint="if it should be, add a line for it to .mlops/allowed_signers"
            " on the protected branch",
            details=details,
        )
    who = of_key[0].principal
    in_time = [signer for signer in of_key if signer.term.holds(at)]
    if not in_time:
        raise StateRefused(
            f"the key of {who} did not count at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            code="signer-expired",
            hint="valid-after and valid-before in .mlops/allowed_signers say when it does",
            details=details,
        )
    for signer in in_time:
        if signer.signs(namespace):
            return signer
    raise StateRefused(
        f"the key of {who} may not sign for {namespace!r}",
        code="wrong-namespace",
        hint="namespaces in .mlops/allowed_signers say what it may sign",
        details=details,
    )


def fingerprint(key: bytes) -> str:
    """Return SHA256:…, as `ssh-keygen -l` names the public key with these bytes."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _signers(text: str) -> Iterator[Signer]:
    for number, line in lines(text):
        match = _LINE.fullmatch(line)
        if match is None:
            raise _bad(number, "it is not: principal [options] key-type key")
        try:
            found = options(match["options"] or "")
            key = base64.b64decode(match["key"], validate=True)
            counts = term(found)
        except ValueError as exc:
            raise _bad(number, "its key or an option cannot be read") from exc
        if unknown := set(found) - {*TERM, "namespaces", "cert-authority"}:
            raise _bad(number, f"there is no option {min(unknown)!r}")
        if "cert-authority" in found:
            continue
        names = [name for name in match["principals"].strip('"').split(",") if name[:1] != "!"]
        if not names or not names[0]:
            raise _bad(number, "nobody is named")
        spaces = tuple(filter(None, found.get("namespaces", "").split(",")))
        yield Signer(names[0], key, spaces, counts)


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers: those that ssh-keygen sees, for
    whom only a line feed ends one."""
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip(" \t\r")
        if line and not line.startswith("#"):
            yield number, line


def options(text: str) -> dict[str, str]:
    """Return option → value of `name="value",name`. Raises ValueError, also for one said twice."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None or match[1].lower() in found:
            raise ValueError(text)
        found[match[1].lower()] = match[2] or ""
        at = match.end()
    return found


def term(found: Mapping[str, str]) -> Term:
    """Return from when to when options let a line count. Raises ValueError."""
    return Term(*(_moment(found.get(name)) for name in TERM))


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
