"""The lock file of an environment, reduced to what it pins: packages, versions, hashes.

Where a package was fetched from, when, by which tool and in which order the file says so changes
nothing that is installed, so it is in no key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_cli.encode import canonical_json, check_nesting
from mlops_cli.errors import ConfigError

Form = str  # "uv", "pylock", "conda", "requirements", "text"


def form(name: str) -> Form:
    """Return how a lock file of that name is read."""
    base = name.rpartition("/")[2]
    if base == "uv.lock":
        return "uv"
    if base.startswith("pylock.") and base.endswith(".toml"):
        return "pylock"
    if base.endswith(("conda-lock.yml", "conda-lock.yaml")):
        return "conda"
    return "requirements" if base.endswith(".txt") else "text"


def digest(data: bytes, name: str, *, cache: Path | None = None) -> str:
    """Return the digest of what the lock file `name` pins; `cache` keeps answers for its bytes.

    Raises ConfigError ("malformed-lock-file").
    """
    from mlops_cli.pipeline.keys.parsed import remembered

    kind = form(name)
    if kind in ("requirements", "text"):  # cheaper to read than to look up
        normal = normalised(data.decode(errors="replace"), requirements=kind == "requirements")
        return "sha256:" + hashlib.sha256(normal.encode()).hexdigest()

    def make() -> str:
        return "sha256:" + hashlib.sha256(canonical_json(pinned(data, name))).hexdigest()

    return str(remembered(data, make, maker=f"lock file {kind} 1", cache=cache))


def pinned(data: bytes, name: str) -> dict[str, Any]:
    """Return what uv.lock, pylock.toml or conda-lock.yml pins, in an order of its own."""
    try:
        return _PINNED[form(name)](data)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"{name} is not a lock file that can be read: {exc}",
            code="malformed-lock-file",
            hint=f"let its tool write {name} again",
            details={"file": name},
        ) from exc


def normalised(text: str, *, requirements: bool) -> str:
    """Return the text of a lock file without comments, blank lines and trailing spaces.

    The lines of a requirements file mean the same in any order, so they are sorted.
    """
    lines: list[str] = []
    joined = ""
    for raw in text.splitlines():
        line = raw.rstrip()
        if requirements:
            line = " ".join(line.split(" #")[0].split())
            if line.endswith("\\"):
                joined += line[:-1].strip() + " "
                continue
            line, joined = (joined + line).strip(), ""
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
    return "\n".join(sorted(lines) if requirements else lines) + "\n"


def _uv(data: bytes) -> dict[str, Any]:
    import tomllib

    value = tomllib.loads(data.decode())
    packages = []
    for package in value.get("package", []):
        kept = ("name", "version", "dependencies", "optional-dependencies", "dev-dependencies")
        one = {word: package[word] for word in kept if word in package}
        if "registry" not in package.get("source", {}):  # which mirror served it is no matter
            one["source"] = package.get("source")
        one["hashes"] = _hashes([package.get("sdist"), *package.get("wheels", [])])
        packages.append(one)
    return {"python": value.get("requires-python"), "packages": _sorted(packages)}


def _pylock(data: bytes) -> dict[str, Any]:
    import tomllib

    value = tomllib.loads(data.decode())
    packages = []
    for package in value["packages"]:
        one = {
            word: package[word]
            for word in ("name", "version", "marker", "requires-python")
            if word in package
        }
        for word in ("vcs", "directory", "archive"):
            if word in package:
                unpinned = ("url", "path", "size", "upload-time", "requested-revision")
                part = package[word].items()
                one[word] = {key: item for key, item in part if key not in unpinned}
        one["hashes"] = _hashes([package.get("sdist"), *package.get("wheels", [])])
        packages.append(one)
    words = ("requires-python", "environments", "extras", "dependency-groups", "default-groups")
    top = {word: value[word] for word in words if word in value}
    return {**top, "packages": _sorted(packages)}


def _conda(data: bytes) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(check_nesting(data.decode()), Loader=loader)
    except (yaml.YAMLError, RecursionError) as exc:
        raise ValueError(str(exc).splitlines()[0]) from exc
    words = ("name", "version", "manager", "platform", "hash", "category", "optional")
    packages = [
        {word: package[word] for word in words if word in package} for package in value["package"]
    ]
    return {"packages": _sorted(packages)}


def _hashes(files: Iterable[Any]) -> list[str]:
    found: set[str] = set()
    for file in files:
        given = (file or {}).get("hash") or (file or {}).get("hashes") or ()
        items = given.items() if isinstance(given, Mapping) else ()
        found |= {given} if isinstance(given, str) else {f"{name}:{value}" for name, value in items}
    return sorted(found)


def _sorted(packages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(packages, key=canonical_json)


_PINNED = {"uv": _uv, "pylock": _pylock, "conda": _conda}
