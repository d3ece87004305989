"""A DVC repository as it stands on the disk: its folder, its cache and its remotes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.errors import NotFound

_SECTION = re.compile(r"""\[\s*(?:'(.*)'|"(.*)"|([^\]]*?))\s*\]\s*(?:#.*)?""")
_VALUE = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^#]*?))\s*(?:#.*)?""")
_REMOTE = re.compile(r'remote "(.+)"')


@dataclass(frozen=True, slots=True)
class DvcRemote:
    """A remote of DVC; `url` is absolute or a URL, `options` are DVC's own words."""

    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repository:
    """A DVC repository inside a project. `prefix` is where it lies in it: "" or "folder/"."""

    root: Path
    prefix: str
    cache: Path
    remotes: Mapping[str, DvcRemote]
    default: str | None


def open_repository(project: Path, path: str) -> Repository:
    """Return the DVC repository in the folder `path` of the project.

    Nothing is created. Raises NotFound ("no-dvc-repository").
    """
    root = project / path
    if not (root / ".dvc").is_dir():
        raise NotFound(
            f"there is no DVC repository in {path}",
            code="no-dvc-repository",
            hint="name the folder that holds .dvc: mlops import dvc FOLDER",
            details={"path": path},
        )
    settings = read_config(root / ".dvc")
    cache = settings.get("cache", {}).get("dir", "cache")
    remotes = {}
    for section, values in settings.items():
        if match := _REMOTE.fullmatch(section):
            remotes[match[1]] = values
    return Repository(
        root,
        "" if path == "." else path.rstrip("/") + "/",
        Path(os.path.normpath(root / ".dvc" / Path(cache).expanduser())),
        {name: _remote(name, remotes, root / ".dvc") for name in remotes if "url" in remotes[name]},
        settings.get("core", {}).get("remote"),
    )


def read_config(folder: Path) -> dict[str, dict[str, str]]:
    """Return the settings in `.dvc/config`, with those of `config.local` on top."""
    found: dict[str, dict[str, str]] = {}
    for name in ("config", "config.local"):
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for section, values in _parse(text).items():
            found.setdefault(section, {}).update(values)
    return found


def _parse(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if match := _SECTION.fullmatch(bare):
            name = next(word for word in match.groups() if word is not None)
            section = found.setdefault(name, {})
        elif "=" in bare:
            key, _, rest = bare.partition("=")
            value = _VALUE.fullmatch(rest)
            words = value.groups() if value else (rest.strip(),)
            section[key.strip().lower()] = next(word for word in words if word is not None)
    return found


def _remote(name: str, all_of_them: Mapping[str, dict[str, str]], folder: Path) -> DvcRemote:
    values: dict[str, Any] = dict(all_of_them[name])
    url = values.pop("url")
    seen = {name}
    while url.startswith("remote://"):  # a place below another remote
        other, _, rest = url.removeprefix("remote://").partition("/")
        if other in seen or other not in all_of_them:
            break
        seen.add(other)
        values = {**all_of_them[other], **values}
        url = str(values.pop("url", "")).rstrip("/") + ("/" + rest if rest else "")
    if "://" not in url:
        url = os.path.normpath(folder / Path(url).expanduser())
    return DvcRemote(name, url, values)
