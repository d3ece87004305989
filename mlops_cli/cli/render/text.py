"""Plain sentences and aligned tables for 80 columns, coloured only where a terminal reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_colored: dict[str, bool] = {"stdout": False, "stderr": False}


def use_color(*, stdout: bool, stderr: bool) -> None:
    """Decide once, at start-up, which streams are coloured."""
    _colored.update(stdout=stdout, stderr=stderr)


def style(words: str, *looks: str, stream: str = "stdout") -> str:
    """Return `words` in the given looks (bold, dim, red, green, yellow, blue, cyan)."""
    if not looks or not words or not _colored[stream]:
        return words
    return f"\x1b[{';'.join(_CODES[look] for look in looks)}m{words}\x1b[0m"


def width(words: str) -> int:
    """Return how many columns `words` take on screen, colour codes not counted."""
    return len(_ESCAPE.sub("", words))


def table(
    rows: Iterable[Sequence[object]],
    headers: Sequence[str] = (),
    align: str = "",
    *,
    indent: str = "",
) -> str:
    """Return rows as aligned columns, two spaces apart.

    `align` has one letter a column, "l" or "r" (left where it ends); None is shown as "-".
    """
    body = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    head = [[style(cell, "bold") for cell in headers]] if headers else []
    cells = head + body
    if not cells:
        return ""
    columns = max(len(row) for row in cells)
    sides = align.ljust(columns, "l")
    widths = [
        max((width(row[i]) for row in cells if i < len(row)), default=0) for i in range(columns)
    ]
    lines = [
        indent + "  ".join(_pad(cell, widths[i], sides[i]) for i, cell in enumerate(row)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _pad(cell: str, columns: int, side: str) -> str:
    space = " " * (columns - width(cell))
    return space + cell if side == "r" else cell + space


def size(count: int) -> str:
    """Return a number of bytes for people: 512 B, 3.4 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return "1 file", "20,000 files"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shown(words: str) -> str:
    """Return the words of other people for a terminal: what would steer it, or turn the line
    around, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def shown_json(document: str) -> str:
    """Return JSON that says the same and steers no terminal: what would not show is \\uXXXX."""
    lines = document.split("\n")
    return "\n".join(line if line.isprintable() else _spelled(line) for line in lines)


def _spelled(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def short(digest: str) -> str:
    """Return a digest short enough for a table: "sha256:0123456789ab" → "0123456789ab"."""
    return digest.removeprefix("sha256:")[:12]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that a person most likely meant, if any is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None
