"""Our block in .gitignore and .gitattributes; what a person wrote around it stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlops_cli.fsio import write_atomic

BEGIN = "# >>> mlops: this block is managed, write your own lines outside of it"
END = "# <<< mlops"


def read_block(file: Path) -> list[str]:
    """Return the lines of our block in `file`, none where there is no block."""
    if not file.exists():
        return []
    _, block, _ = _parts(file.read_text())
    return block


def write_block(file: Path, lines: Sequence[str]) -> bool:
    """Make the block in `file` hold exactly `lines`; return whether the file changed.

    The block stays where it is, or goes to the end; with no lines it disappears, and so does a
    file that held nothing else.
    """
    text = file.read_text() if file.exists() else ""
    before, _, after = _parts(text)
    block = "\n".join([BEGIN, *lines, END]) + "\n" if lines else ""
    if before and not before.endswith("\n"):
        before += "\n"
    fresh = before + block + after
    if fresh == text:
        return False
    if fresh:
        write_atomic(file, fresh)
    else:
        file.unlink(missing_ok=True)
    return True


def add_lines(file: Path, lines: Sequence[str]) -> bool:
    """Add those of `lines` that the block in `file` lacks; return whether the file changed."""
    present = read_block(file)
    new = [line for line in dict.fromkeys(lines) if line not in present]
    return write_block(file, [*present, *new]) if new else False


def remove_lines(file: Path, lines: Sequence[str]) -> bool:
    """Take `lines` out of the block in `file`; return whether the file changed."""
    present = read_block(file)
    kept = [line for line in present if line not in set(lines)]
    return write_block(file, kept) if kept != present else False


def escaped(path: str) -> str:
    """Return the .gitignore line that matches exactly `path`, relative to the file's folder."""
    special = "".join(f"\\{letter}" if letter in "\\*?[" else letter for letter in path)
    trailing = len(special) - len(special.rstrip(" "))
    return "/" + special.rstrip(" ") + "\\ " * trailing


def beside(path: str) -> str:
    """Return the .gitignore in the folder of `path`, both relative to the project."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}.gitignore"


def _parts(text: str) -> tuple[str, list[str], str]:
    lines = text.splitlines(keepends=True)
    bare = [line.strip() for line in lines]
    if BEGIN not in bare:
        return text, [], ""
    start = bare.index(BEGIN)
    # a block whose end was deleted by hand ends where it begins, so that no own line is eaten
    end = bare.index(END, start) if END in bare[start:] else start
    block = [line.rstrip("\r\n") for line in lines[start + 1 : end]]
    return "".join(lines[:start]), block, "".join(lines[end + 1 :])
