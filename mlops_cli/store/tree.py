"""A directory as a canonical listing, itself an object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import lt
from typing import Literal, NamedTuple, NoReturn

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.store.digest import PREFIX, RAW_LENGTH, Digest

Mode = Literal["file", "exec", "link", "dir"]
Row = tuple[str, Mode, str, int, int]  # an entry whose digest is only its digits

HEADER = b"mlops.tree/1\n"
RESERVED = (".git",)  # whatever its case: some disks do not tell .GIT from .git
PATH_AT_MOST = 1 << 14  # bytes; no disk takes a path so long, and a tree that is deeper is a trap
FILES_AT_MOST = 1 << 30
FOLDERS_AT_MOST = 1 << 23  # without a file in them
SIZE_AT_MOST = 1 << 60

_MODES = frozenset(("file", "exec", "link", "dir"))
_TOO_MUCH = 10**19


class Entry(NamedTuple):
    """One line of a tree. For a directory, `digest` names its own tree, `size` and `files` are
    the sums below it; for a link, `digest` names the bytes of its target. A tuple and no
    dataclass: a tree may have a hundred thousand of them."""

    name: str
    mode: Mode
    digest: Digest
    size: int
    files: int = 1


def write_tree(entries: Iterable[Entry]) -> bytes:
    """Return the one listing of `entries`, which may come in any order.

    Raises StateRefused ("reserved-name") for a name that no tree may hold.
    """
    return write_rows(
        [
            (name, mode, digest[len(PREFIX) :], size, files)
            for name, mode, digest, size, files in entries
        ]
    )


def write_rows(rows: list[Row]) -> bytes:
    """Return the listing of `rows`, sorting them in place; see `write_tree`."""
    rows.sort()  # code points sort as their UTF-8 bytes do
    names = [row[0] for row in rows]
    if any_refused(names) or len(set(names)) != len(names):
        _refuse(names)
    lines = [f"{mode} {hex} {size} {files} {name}\0" for name, mode, hex, size, files in rows]
    return HEADER + "".join(lines).encode()


def parse_tree(data: bytes) -> tuple[Entry, ...]:
    """Return the entries of the listing `data`, sorted by name.

    Raises IntegrityError: "malformed-tree" for bytes that are no canonical listing,
    "hostile-tree" for names that could lead out of the directory.
    """
    return tuple(
        [
            Entry(name, mode, Digest(PREFIX + digits), size, files)
            for name, mode, digits, size, files in parse_rows(data)
        ]
    )


def parse_rows(data: bytes) -> list[Row]:
    """Return what `parse_tree` does, in plain rows: for whoever reads a million of them."""
    if not data.startswith(HEADER):
        raise _malformed("it does not begin with its header")
    try:
        text = data[len(HEADER) :].decode()
    except UnicodeDecodeError:
        raise _malformed("a name is not UTF-8") from None
    if not text:
        return []
    *lines, rest = text.split("\0")
    parts = [line.split(" ", 4) for line in lines]
    if rest or set(map(len, parts)) != {5}:
        raise _malformed("there are bytes between or after its entries")
    # column by column: matching each row by itself takes half as long again
    modes, digits, sizes, counts, names = zip(*parts, strict=True)
    if not (
        _MODES.issuperset(modes)
        and set(map(len, digits)) == {2 * RAW_LENGTH}
        and not "".join(digits).encode().translate(None, b"0123456789abcdef")
    ):
        raise _malformed("an entry has another form")
    if not all(map(lt, names, names[1:])):
        raise _malformed("its names are not sorted, or one stands there twice")
    if any_refused(names):
        raise _hostile(next(name for name in names if refusal(name)))
    if set(counts) != {"1"} and any(
        mode != "dir" and files != "1" for mode, files in zip(modes, counts, strict=True)
    ):
        raise _malformed("a file counts as one file")
    below, files = _numbers(sizes), _numbers(counts)
    # a folder that holds another a thousand times, which does the same, needs few bytes
    if sum(files) > FILES_AT_MOST or sum(below) > SIZE_AT_MOST:
        raise trap("it speaks of more than any disk takes")
    return list(zip(names, modes, digits, below, files, strict=True))


def _numbers(written: Sequence[str]) -> list[int]:
    """Return what is written, each in the one way in which `write_rows` does."""
    try:
        known = {word: int(word) for word in set(written)}
    except ValueError:
        raise _malformed("a number is none") from None
    numbers = known.values()
    if list(map(str, numbers)) != list(known) or min(numbers) < 0 or max(numbers) >= _TOO_MUCH:
        raise _malformed("a number has another form")
    return [known[word] for word in written]


def check_depth(path: str) -> None:
    """Raise IntegrityError ("hostile-tree") for a path in a tree that no disk would take."""
    if len(path) > PATH_AT_MOST:
        raise trap("it is deeper than any disk takes")


def totals(entries: Iterable[Entry]) -> tuple[int, int]:
    """Return the bytes and the number of files that `entries` stand for."""
    size = files = 0
    for entry in entries:
        size += entry.size
        files += entry.files
    return size, files


def any_refused(names: Sequence[str]) -> bool:
    """Return whether `refusal` has something against any of `names`."""
    # asking once for all of them is twenty times quicker than once for each
    every = "\0".join(names)
    if every.isascii() and "/" not in every and ".git" not in every.lower():
        plain = every.count("\0") == len(names) - 1 if names else True
        if plain and not {"", ".", ".."}.intersection(names):
            return False
    return any(map(refusal, names))


def refusal(name: str) -> str | None:
    """Return why `name` may not stand in a tree, or None when it may."""
    if name in ("", ".", ".."):
        return "it names no file"
    if "/" in name or "\0" in name:
        return "it holds a separator"
    if name.lower() in RESERVED:
        return "it belongs to git"
    if not name.isascii():
        if _seen(name) in RESERVED:
            return "it belongs to git"
        try:
            name.encode()
        except UnicodeEncodeError:
            return "it is not UTF-8"
    return None


def _seen(name: str) -> str:
    """Return the name as HFS+ sees it, which passes over characters that have no shape."""
    return "".join(char for char in name if char not in _SHAPELESS).lower()


_SHAPELESS = frozenset(
    map(chr, [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
)


def _refuse(names: list[str]) -> NoReturn:
    for name, former in zip(names, [None, *names], strict=False):
        if (why := refusal(name)) or name == former:
            raise StateRefused(
                f"{name!a} cannot be kept: {why or 'it stands there twice'}",
                code="reserved-name",
                hint="rename it, or name it in .mlopsignore",
                details={"name": ascii(name)},
            )
    raise AssertionError(names)


def trap(why: str) -> IntegrityError:
    """Return the error for a tree that is made to fill a disk, the memory or an afternoon."""
    return IntegrityError(
        f"a tree is a trap: {why}",
        code="hostile-tree",
        hint="do not use this tree; whoever made it did not use mlops",
    )


def _hostile(name: str) -> IntegrityError:
    return IntegrityError(
        f"a tree holds the name {name!r}: {refusal(name)}",
        code="hostile-tree",
        hint="do not use this tree; whoever made it did not use mlops",
        details={"name": name},
    )


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        f"a tree is malformed: {why}", code="malformed-tree", hint="mlops verify --repair"
    )
