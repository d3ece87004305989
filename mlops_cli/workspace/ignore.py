"""`.mlopsignore`: which files of a data folder stay out of the cache, as .gitignore says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlops_cli import fsio

NAME = ".mlopsignore"

Ignored = Callable[[str, bool], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line; `matches` looks at the path below the folder of the file, without a first slash."""

    matches: re.Pattern[str]
    negated: bool
    only_folders: bool


def parse(text: str) -> list[Pattern]:
    """Return the patterns of an ignore file, in order; blank lines and comments say nothing."""
    return [pattern for line in text.splitlines() if (pattern := _pattern(line))]


def judge(patterns: Sequence[Pattern], path: str, is_folder: bool) -> bool | None:
    """Tell whether `path` is ignored; the last pattern that matches wins, None when none does."""
    for pattern in reversed(patterns):
        if (is_folder or not pattern.only_folders) and pattern.matches.fullmatch(path):
            return not pattern.negated
    return None


def ignored_in(root: Path, data: str) -> Ignored | None:
    """Return what is ignored below the data folder `data` (relative to the project at `root`).

    Files named .mlopsignore count in the project's root, in each folder on the way, and in the
    data folder itself; a nearer one wins. The answer is asked with paths below `data`. None when
    nothing is ignored, so that the common case costs nothing.
    """
    layers: list[tuple[str, list[Pattern]]] = []
    parts = PurePosixPath(data).parts
    for depth in range(len(parts) + 1):
        try:
            text = root.joinpath(*parts[:depth], NAME).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        if patterns := parse(text):
            prefix = "".join(part + "/" for part in parts[depth:])
            layers.append((prefix, patterns))
    if not layers:
        return None
    layers.reverse()

    def ignored(path: str, is_folder: bool) -> bool:
        for prefix, patterns in layers:
            verdict = judge(patterns, prefix + path, is_folder)
            if verdict is not None:
                return verdict
        return False

    return ignored


def hide(cache_root: Path) -> None:
    """Keep the cache out of git, also in a project where `mlops init` was never called."""
    sign = cache_root / ".gitignore"
    if not sign.exists():
        fsio.write_atomic(sign, "*\n", durable=False)


def _pattern(line: str) -> Pattern | None:
    if line.startswith("#"):
        return None
    line = _without_trailing_spaces(line)
    negated = line.startswith("!")
    if negated:
        line = line[1:]
    only_folders = line.endswith("/")
    line = line.rstrip("/") if only_folders else line
    if not line:
        return None
    anchored = "/" in line
    body = _translate(line.removeprefix("/"))
    if not anchored:
        body = "(?:.*/)?" + body
    return Pattern(re.compile(body, re.DOTALL), negated, only_folders)


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    if len(stripped) < len(line) and stripped.endswith("\\"):
        return stripped + " "
    return stripped


def _translate(glob: str) -> str:
    """Return the regular expression of a gitignore glob; `**` crosses folders, `*` does not."""
    out, i = "", 0
    while i < len(glob):
        rest = glob[i:]
        if rest.startswith("**/") and (i == 0 or glob[i - 1] == "/"):
            out, i = out + "(?:.*/)?", i + 3
        elif rest == "**" and (i == 0 or glob[i - 1] == "/"):
            out, i = out + ".+", i + 2
        elif rest[0] == "*":
            out, i = out + "[^/]*", i + len(rest) - len(rest.lstrip("*"))
        elif rest[0] == "?":
            out, i = out + "[^/]", i + 1
        elif rest[0] == "[" and (end := _end_of_class(glob, i)):
            inner = glob[i + 1 : end].replace("\\", "\\\\")
            inner = "^/" + inner[1:] if inner[:1] in "!^" else inner
            out, i = out + f"[{inner}]", end + 1
        elif rest[0] == "\\" and len(rest) > 1:
            out, i = out + re.escape(rest[1]), i + 2
        else:
            out, i = out + re.escape(rest[0]), i + 1
    return out


def _end_of_class(glob: str, start: int) -> int | None:
    first = start + 2 if glob[start + 1 : start + 2] in ("!", "^") else start + 1
    end = glob.find("]", first + 1)
    return end if end > 0 else None
