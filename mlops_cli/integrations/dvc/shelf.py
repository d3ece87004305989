"""Where the bytes that DVC names may lie on this disk: its cache, and the workspace."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.integrations.dvc import sums
from mlops_cli.integrations.dvc.outs import Listed, Out, Refused, Sum, read_listed

LISTING_AT_MOST = 1 << 30  # bytes of a folder's list: some ten million files


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bytes to be found. `path` is where the workspace may hold them, relative to the project."""

    sum: Sum
    path: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells two of them apart: before 3.0, texts of one name could differ."""
        return str(self.sum), self.path if self.sum.legacy else ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be the one. `name` is its place in DVC's cache, "" in the workspace."""

    path: Path
    name: str
    found: os.stat_result


@dataclass(frozen=True, slots=True)
class Shelf:
    """A cache of DVC beside the workspace of a project."""

    project: Path
    cache: Path

    def candidates(self, wanted: Wanted) -> Iterator[Candidate]:
        """Yield the files that may hold the bytes, the most likely first."""
        if not wanted.sum.legacy:
            yield from self._kept(wanted.sum)
            if here := _candidate(self.project / wanted.path, ""):
                yield here
            return
        kept = list(self._kept(wanted.sum))
        here = _candidate(self.project / wanted.path, "")
        # of texts that differ in their line ends, DVC kept the first only
        first = here is not None and bool(kept) and _differs(kept[0], here)
        yield from ([here] if here and first else [])
        yield from kept
        yield from ([here] if here and not first else [])

    def listing(self, one: Sum) -> tuple[Listed, ...] | None:
        """Return the files of a folder, None where the cache does not list them.

        Raises Refused ("its list is damaged", or what `read_listed` raises).
        """
        for kept in self._kept(one):
            if kept.found.st_size > LISTING_AT_MOST:
                raise Refused(one.name, "its list is too large")
            return read_listing(kept.path.read_bytes(), one)
        return None

    def _kept(self, one: Sum) -> Iterator[Candidate]:
        # 3.0 left what it found in the old places where it was
        for sum_ in (one, Sum(one.md5, not one.legacy, one.folder)):
            if found := _candidate(self.cache / sum_.shelf, sum_.shelf):
                yield found


def read_listing(data: bytes, one: Sum) -> tuple[Listed, ...]:
    """Return the files that a `.dir` object lists. Raises Refused where it is damaged."""
    if sums.of_bytes(data).md5 != one.md5:
        raise Refused(one.name, "its list of files is damaged")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Refused(one.name, "its list of files is no JSON") from None
    return read_listed(value, legacy=one.legacy)


def wanted_of(out: Out, listed: tuple[Listed, ...] | None) -> list[Wanted]:
    """Return the bytes that an output stands for."""
    if listed is None:
        return [Wanted(out.sum, out.path)] if out.sum else []
    return [Wanted(one.sum, f"{out.path}/{one.path}") for one in listed]


def _candidate(path: Path, name: str) -> Candidate | None:
    try:
        found = path.stat()  # a workspace of DVC may hold links into its cache
    except (OSError, ValueError):
        return None
    return Candidate(path, name, found) if stat.S_ISREG(found.st_mode) else None


def _differs(kept: Candidate, here: Candidate) -> bool:
    if kept.found.st_size != here.found.st_size:
        return True
    if os.path.samestat(kept.found, here.found):
        return False
    with kept.path.open("rb") as one, here.path.open("rb") as other:
        while chunk := one.read(sums.CHUNK):
            if chunk != other.read(sums.CHUNK):
                return True
            if b"\0" in chunk:
                return False  # no text, and its name is the md5 of its bytes
    return False
