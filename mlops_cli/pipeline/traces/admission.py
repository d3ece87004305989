"""Which results of other clones are taken: on a protected branch, those that the ledger confirms.

An entry of the run cache claims that a key gave certain outputs. That the bytes are those of their
digests is always checked; that the claim is true cannot be, short of running the step. What is
asked for here is that somebody stands for it: a record of that very run, in the ledger of a writer
who is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.layout import look_up
from mlops_cli.ledger.record import Record, parse
from mlops_cli.pipeline.traces.runcache import Seen
from mlops_cli.vcs import objects, refs

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

Whose = Literal["own", "project", "all"]


@dataclass(frozen=True, slots=True)
class Admission:
    """`runs` holds on `branches`, which are patterns, and where no branch is checked out, as in
    CI; elsewhere everything is taken. `writers` are patterns of those whose ledgers count, all of
    the project where there are none."""

    git: Git
    runs: Whose = "project"
    branches: tuple[str, ...] = ("main", "master")
    writers: tuple[str, ...] = ()
    _known: dict[str, Record | None] = field(default_factory=dict)

    @property
    def everything(self) -> bool:
        """Whether nothing is asked of an entry."""
        if self.runs == "all":
            return True
        branch = self.git.head().branch
        return branch is not None and not _any(branch, self.branches)

    def look(self, seens: Sequence[Seen]) -> list[Seen]:
        """Read the records that `seens` name, all at once; return those whose record is not here,
        though its writer is trusted: a fetch of the ledger may bring it."""
        wanted = {
            name: seen
            for seen in seens
            if (name := _place(seen)) and self._trusted(str(seen.writer))
        }
        names = [name for name in wanted if self._known.get(name) is None]
        for name, blob in zip(names, objects.read(self.git, names), strict=True):
            self._known[name] = _record(wanted[name], blob.data) if blob else None
        folded = {name: wanted[name] for name in names if self._known[name] is None}
        copies = look_up(self.git, [str(seen.record) for seen in folded.values()])
        for name, seen in folded.items():
            for writer, data in copies[str(seen.record)]:
                if writer == seen.writer:
                    self._known[name] = self._known[name] or _record(seen, data)
        return [seen for name, seen in wanted.items() if self._known[name] is None]

    def admits(self, key: str, seen: Seen) -> bool:
        """Return whether a record confirms that `key` gave these outputs."""
        name = _place(seen)
        if name is not None and name not in self._known:
            self.look([seen])
        record = self._known.get(name or "")
        return record is not None and _confirms(record, key, seen)

    def _trusted(self, writer: str) -> bool:
        if self.runs == "own":
            from mlops_cli.ledger.append import writer_name

            return writer == writer_name(self.git)
        return not self.writers or _any(writer, self.writers)


def _place(seen: Seen) -> str | None:
    """Return where the record of an entry lies if it is what the entry says, for git."""
    hex_ = (seen.record or "").removeprefix("sha256:")
    if not seen.writer or len(hex_) != 64 or not hex_.isalnum():
        return None
    writer = seen.writer if seen.writer.replace("-", "").isalnum() else "-"
    return f"{refs.LEDGER}{writer}:records/{hex_[:2]}/{hex_}.json"


def _record(seen: Seen, data: bytes) -> Record | None:
    try:
        return parse(data, name=str(seen.record), source=f"the ledger of {seen.writer}")
    except IntegrityError:
        return None


def _confirms(record: Record, key: str, seen: Seen) -> bool:
    outputs: Mapping[str, str] = {path: out.digest for path, out in seen.outputs.items()}
    told = (record.kind, record["status"], record["key"], record["outputs"])
    return told == ("run", "done", key, outputs)


def _any(word: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns)
