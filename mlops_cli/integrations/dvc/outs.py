"""What a file of DVC says about one path: where it lies, the md5 of its bytes, how it is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mlops_cli.store.tree import refusal

_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?")
_OURS = (".git", ".mlops", ".dvc")


@dataclass(frozen=True, slots=True)
class Sum:
    """The name of bytes in DVC. `legacy` (before 3.0): the md5 of text with \\r\\n read as \\n."""

    md5: str
    legacy: bool = False
    folder: bool = False

    def __str__(self) -> str:
        return f"{'md5-dos2unix' if self.legacy else 'md5'}:{self.name}"

    @property
    def name(self) -> str:
        """Return the md5 as DVC writes it."""
        return self.md5 + (".dir" if self.folder else "")

    @property
    def shelf(self) -> str:
        """Return where an object of that name stands in a cache or a remote of DVC."""
        short = f"{self.name[:2]}/{self.name[2:]}"
        return short if self.legacy else f"files/md5/{short}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a folder."""

    path: str  # below the folder
    sum: Sum
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Out:
    """One path that DVC tracks. `path` is relative to the project; `source` is the file of DVC."""

    path: str
    source: str
    sum: Sum | None
    size: int | None = None
    files: int | None = None
    executable: bool = False
    cached: bool = True
    push: bool = True
    remote: str | None = None
    pin: Mapping[str, Any] | None = None
    step: str | None = None  # the stage that makes it
    listed: tuple[Listed, ...] | None = None  # a folder whose files stand in the file itself


class Refused(Exception):
    """A thing of DVC that has no place here, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name, self.why = name, why


def read_sum(values: Mapping[str, Any]) -> Sum | None:
    """Return the sum in an entry of a `.dvc` file or a lock, None where it has none.

    Raises Refused where it is no md5.
    """
    word = values.get("md5")
    if word is None:
        return None
    match = _MD5.fullmatch(word) if isinstance(word, str) else None
    if match is None:
        raise Refused(str(values.get("path")), f"its md5 is {word!r}")
    return Sum(match[1], legacy=values.get("hash") != "md5", folder=bool(match[2]))


def place(base: str, path: Any) -> str:
    """Return `path`, as written in a file of the folder `base`, relative to the project.

    Raises Refused for what lies outside of the project, or where git, DVC and mlops keep theirs.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        raise Refused(str(path), "it is no path")
    if "://" in path:
        raise Refused(path, "it lies outside of the project")
    joined = os.path.normpath(os.path.join(base, path))
    parts = PurePosixPath(joined).parts
    if joined == "." or parts[0] in ("/", ".."):
        raise Refused(path, "it lies outside of the project")
    if any(part.lower() in _OURS for part in parts):
        raise Refused(path, "git, DVC or mlops keep their own files there")
    return joined


def read_listed(value: Any, *, legacy: bool) -> tuple[Listed, ...]:
    """Return the files of a folder, as a `.dir` object or the `files` of an entry lists them.

    Raises Refused for a name that leads out of the folder, or stands there twice.
    """
    if not isinstance(value, list):
        raise Refused("", "it is no list of files")
    found: dict[str, Listed] = {}
    folders: set[str] = set()
    for item in value:
        path = item.get("relpath") if isinstance(item, dict) else None
        if not isinstance(path, str):
            raise Refused(repr(item)[:80], "it lists no path")
        parts = path.split("/")
        if why := next((why for part in parts if (why := refusal(part))), None):
            raise Refused(path, f"a folder lists the name {path!r}: {why}")
        one = read_sum({**item, "path": path, "hash": None if legacy else "md5"})
        if one is None or one.folder:
            raise Refused(path, f"a folder lists {path!r} without the md5 of a file")
        if path in found:
            raise Refused(path, f"a folder lists {path!r} twice")
        found[path] = Listed(path, one, item.get("isexec") is True)
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if both := sorted(folders & set(found)):
        raise Refused(both[0], f"a folder lists {both[0]!r} as a file and as a folder")
    return tuple(found.values())


def read_out(values: Mapping[str, Any], *, base: str, source: str, step: str | None = None) -> Out:
    """Return one entry of `outs`. Raises Refused."""
    path = place(base, values.get("path"))
    one = read_sum(values)
    legacy = values.get("hash") != "md5"
    listed = read_listed(values["files"], legacy=legacy) if "files" in values else None
    size, files = values.get("size"), values.get("nfiles")
    return Out(
        path,
        source,
        one,
        size if isinstance(size, int) else None,
        files if isinstance(files, int) else None,
        executable=values.get("isexec") is True,
        cached=values.get("cache") is not False,
        push=values.get("push") is not False,
        remote=values.get("remote") if isinstance(values.get("remote"), str) else None,
        step=step,
        listed=listed,
    )
