"""The libraries of an environment: as its lock file pins them, else as a run found them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops_cli.pipeline.keys import lockfile
from mlops_cli.registry.evidence import fields

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*===?\s*([^\s;\\]+)(.*)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True)
class Library:
    """A package. `digest` where the lock knows one file of it and no other; `needs`: names."""

    name: str
    version: str
    kind: str = "pypi"
    digest: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """Its package URL: pkg:pypi/numpy@2.4.6."""
        name = re.sub(r"[-_.]+", "-", self.name).lower() if self.kind == "pypi" else self.name
        return f"pkg:{self.kind}/{quote(name, safe='')}@{quote(self.version, safe='.+!-_')}"


def pinned(data: bytes, name: str) -> list[Library]:
    """Return what a lock file of that name pins. Raises ConfigError ("malformed-lock-file")."""
    form = lockfile.form(name)
    if form in ("requirements", "text"):
        text = lockfile.normalised(data.decode(errors="replace"), requirements=True)
        found = list(_requirements(text))
    else:
        found = [_library(each) for each in lockfile.pinned(data, name)["packages"]]
    return _once(found)


def seen(environment: Mapping[str, Any] | None) -> list[Library]:
    """Return what the record of a run tells of its environment: the packages that matter most, and
    whatever was loaded."""
    told = fields(environment)
    packages = {**fields(told.get("loaded")), **fields(told.get("packages"))}
    return _once([Library(str(name), str(version)) for name, version in packages.items()])


def _requirements(text: str) -> Iterator[Library]:
    for line in text.splitlines():
        if match := _PINNED.fullmatch(line.strip()):
            hashes = _HASH.findall(match[3])
            yield Library(match[1], match[2], digest=_only(hashes))


def _library(package: Mapping[str, Any]) -> Library:
    kind = "conda" if package.get("manager", "pip") == "conda" else "pypi"
    hashes = [each for each in package.get("hashes") or () if each.startswith("sha256:")]
    told = package.get("dependencies") or ()
    needs = [each["name"] for each in told if isinstance(each, Mapping) and "name" in each]
    version = str(package.get("version") or "0")
    return Library(str(package["name"]), version, kind, _only(hashes), tuple(sorted(set(needs))))


def _only(hashes: list[str]) -> str | None:
    return hashes[0] if len(hashes) == 1 else None


def _once(libraries: list[Library]) -> list[Library]:
    """Return each package once, sorted; a lock for several platforms has some several times."""
    found = {library.purl: library for library in libraries}
    return [found[purl] for purl in sorted(found)]
