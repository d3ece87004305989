"""Events into the ledger: spooled the moment they happen, appended in one commit."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlops_cli.ledger import spool
from mlops_cli.ledger.record import Record
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git, Identity

SPOOL = ".mlops/spool"


class Writes(Protocol):
    """What a run asks of a ledger; a reproduction has one that tells nobody."""

    def spool(self, record: Record) -> Digest:
        """Take `record`, safe from the death of this process."""
        ...

    def flush(self) -> list[Digest]:
        """Make what was taken last."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one writer; records of others are read, never written."""

    git: Git
    writer: str
    folder: Path  # of the spool, .mlops/spool

    @property
    def ref(self) -> str:
        """The ref that this writer appends to."""
        return refs.LEDGER + self.writer

    def spool(self, record: Record) -> Digest:
        """Make `record` outlive this process, at the cost of one write; `flush` commits it."""
        spool.write(self.folder, record)
        return record.digest

    def flush(self, author: Identity | None = None) -> list[Digest]:
        """Commit all spooled records, also those that dead processes left, and return them.

        If git refuses, they stay spooled and the next flush takes them.
        Raises StateRefused ("no-identity"), OutsideWorld ("git-failed").
        """
        with spool.take(self.folder) as taken:
            files = {record.path: record.data for record in taken.records}
            if files:
                refs.append(self.git, self.ref, files, _message(taken.records), author=author)
            taken.drop(self.folder)
            return [record.digest for record in taken.records]

    def append(self, *records: Record, author: Identity | None = None) -> list[Digest]:
        """Spool `records` and flush; return their digests in order. Without `author`, git is asked
        who commits."""
        digests = [self.spool(record) for record in records]
        self.flush(author)
        return digests


def open_ledger(git: Git, *, job: str | None = None) -> Ledger:
    """Return the ledger of this clone, or of the CI job `job`, spooling in .mlops/spool."""
    return Ledger(git, writer_name(git, job=job), git.root / SPOOL)


def writer_name(git: Git, *, host: str | None = None, job: str | None = None) -> str:
    """Return the name under which this clone writes: its host and a random id, kept in
    .git/config as mlops.writer; or the name of the CI job, whose clone does not last.
    """
    if job:
        return _slug(job)
    known = git.run("config", "--get", "mlops.writer", check=False)
    if not known:
        fresh = f"{_slug(host or _host())}-{secrets.token_hex(4)}"
        git.run("config", "--local", "mlops.writer", fresh, check=False)
        # another process may have chosen too, or hold the file: what stands there is for both
        known = git.run("config", "--get", "mlops.writer")
    return _slug(known)


def _host() -> str:
    import platform

    return platform.node() or "host"


def _slug(text: str) -> str:
    """Return `text` as one part of a ref name (git check-ref-format)."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:80].strip("-") or "writer"


def _message(records: list[Record]) -> str:
    counts: dict[str, int] = {}
    for record in records:
        counts[record.kind] = counts.get(record.kind, 0) + 1
    return "ledger: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
