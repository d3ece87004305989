"""A board of small notes on refs that many clones change, each change by compare-and-swap.

With a git remote the board is there, so that of many machines exactly one makes a note where
there was none; without one it is in this repository, for its work trees and processes. A note is
a commit of no files whose message holds the text. Where a forge refuses such refs, notes are files
of a branch.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs import claims_branch, ledger_branch, ledger_refs, refs
from mlops_cli.vcs.answer import Answer, failed
from mlops_cli.vcs.note import Change, Changed, Note
from mlops_cli.vcs.repo import Git

CLAIMS = "refs/mlops/claims/"
_FORMAT = "%(refname)%00%(objectname)%00%(contents:body)%00%00"
# how git says that a ref is not what it was thought to be
_OTHERWISE = (
    "stale info", "already exists", "cannot lock", "failed to lock", "failed to update",
    "failed transaction", "but expected", "reference already", "unable to resolve",
    "incorrect old value", "atomic", "fetch first", "non-fast-forward",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """The notes of a project: on the git remote, or here where there is none.

    `branch` is where the ledger goes on a forge that refuses other refs.
    """

    git: Git
    remote: str | None
    branch: str | None = None

    @property
    def here(self) -> str:
        """The refs under which this clone keeps what it last read."""
        return f"refs/mlops/remotes/{self.remote}/claims/" if self.remote else CLAIMS

    def refresh(self, *, branches: Sequence[str] = (), claims_only: bool = False) -> None:
        """Fetch notes, records and `branches` of the remote at once; nothing here is lost.

        Raises OutsideWorld ("git-failed").
        """
        if self.remote is None:
            return
        aside = f"{refs.REMOTES}{self.remote}/"
        if self.branch:
            notes = claims_branch.refspec(self.remote, self.branch)
            ledger = ledger_branch.refspec(self.remote, self.branch)
        else:
            notes = f"+{CLAIMS}*:{self.here}*"
            ledger = ledger_refs.refspec(self.remote)
        specs = [notes]
        if not claims_only:
            # the star: a branch that is gone, or not there yet, is no error
            specs += [ledger, *(f"+refs/heads/{name}*:{aside}heads/{name}*" for name in branches)]
        quietly = ("-c", "maintenance.auto=false", "fetch", "--no-tags", "--prune", "--quiet")
        self.git.run(*quietly, "--no-write-fetch-head", self.remote, *specs)
        if not claims_only:
            ledger_refs.advance(self.git, self.remote)

    def read(self) -> dict[str, Note]:
        """Return the notes as this clone last saw them, by name."""
        if self.remote and self.branch:
            return claims_branch.read(self.git, self.remote)
        raw = self.git.run("for-each-ref", f"--format={_FORMAT}", self.here)
        found = {}
        for row in raw.split("\0\0"):
            words = row.removeprefix("\n").split("\0")
            if len(words) == 3:
                text = words[2].strip("\n").encode("utf-8", "surrogateescape")
                found[words[0].removeprefix(self.here)] = Note(words[1], text)
        return found

    def remedy(self, name: str) -> str:
        """Return how a person takes away a note that nobody can read."""
        if self.remote and self.branch:
            where = f"{self.branch}{claims_branch.BESIDE}"
            return f"git fetch {self.remote} {where}, and push it without the file {name}"
        there = f"git push {self.remote} :" if self.remote else "git update-ref -d "
        return f"{there}{CLAIMS}{name} takes it away"

    def head(self, branch: str) -> str | None:
        """Return the commit of `branch` on the remote as last fetched, or here without one."""
        aside = f"refs/mlops/remotes/{self.remote}/heads/" if self.remote else "refs/heads/"
        return refs.tip(self.git, aside + branch)

    def change(
        self, changes: Mapping[str, Change], *, time: datetime, along: Sequence[str] = ()
    ) -> Changed:
        """Make all of `changes` or none; `along` are refs that are sent in the same breath.

        Raises OutsideWorld ("git-failed", "claims-refused") where the answer is neither.
        """
        if self.remote and self.branch:
            return claims_branch.change(
                self.git, self.remote, self.branch, changes, time=time, along=along
            )
        ids = self._write([one.new for one in changes.values() if one.new is not None], time)
        fresh = iter(ids)
        moved = {
            name: (one.old, None if one.new is None else next(fresh))
            for name, one in changes.items()
        }
        made = {name: new for name, (_, new) in moved.items() if new}
        answer = self._push(moved, along) if self.remote else self._update(moved)
        if answer.code == 0:
            return Changed(True, made)
        said = answer.out.decode("utf-8", "replace")
        rejected = {
            row.split("\t")[1].rpartition(":")[2]: row.split("\t")[-1]
            for row in said.splitlines()
            if row.startswith("!\t")
        }
        reasons = rejected.values() if rejected else [answer.err]
        if not any(word in reason for reason in reasons for word in _OTHERWISE):
            raise self._refused(answer, list(reasons))
        first = {ref for ref, reason in rejected.items() if "atomic" not in reason}
        return Changed(False, {}, frozenset(ref.removeprefix(CLAIMS) for ref in first))

    def _write(self, texts: Sequence[bytes], time: datetime) -> list[str]:
        """Return the ids of commits that hold `texts`."""
        if not texts:
            return []
        empty = _empty_tree(self.git)
        by = f"mlops <mlops@localhost> {int(time.astimezone(UTC).timestamp())} +0000"
        head = f"tree {empty}\nauthor {by}\ncommitter {by}\n\nclaim\n\n".encode()
        known: dict[bytes, str] = {}
        for text in texts:
            if text not in known:
                words = ("hash-object", "-w", "-t", "commit", "--stdin")
                known[text] = self.git.run(*words, input=head + text + b"\n")
        return [known[text] for text in texts]

    def _push(
        self, moved: Mapping[str, tuple[str | None, str | None]], along: Sequence[str]
    ) -> Answer:
        assert self.remote is not None
        leases = [
            f"--force-with-lease={CLAIMS}{name}:{old or ''}" for name, (old, _) in moved.items()
        ]
        specs = [f"{new or ''}:{CLAIMS}{name}" for name, (_, new) in moved.items()]
        words = ("push", "--porcelain", "--no-verify", "--atomic", *leases, self.remote)
        return self.git.call(*words, *specs, *(f"{ref}:{ref}" for ref in along))

    def _update(self, moved: Mapping[str, tuple[str | None, str | None]]) -> Answer:
        lines = [
            f"delete {CLAIMS}{name} {old}"
            if new is None
            else f"update {CLAIMS}{name} {new} {old or '0' * len(new)}"
            for name, (old, new) in moved.items()
        ]
        text = "".join(f"{line}\n" for line in ["start", *lines, "prepare", "commit"])
        return self.git.call("update-ref", "--stdin", input=text)

    def _refused(self, answer: Answer, reasons: list[str]) -> OutsideWorld:
        if any("rejected" in reason or "declined" in reason for reason in reasons):
            return OutsideWorld(
                f"{self.remote} does not take refs under {CLAIMS}: {reasons[0]}",
                code="claims-refused",
                hint=ledger_refs.ON_A_BRANCH,
            )
        return failed(("push" if self.remote else "update-ref",), answer)


@functools.cache
def _empty_tree(git: Git) -> str:
    return git.run("hash-object", "-w", "-t", "tree", "--stdin", input=b"")
