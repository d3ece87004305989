"""The board of notes as files of one branch, for forges that refuse other refs.

Beside the branch of the ledger, so that neither waits for the other. A change is a commit on top
of what stands there, pushed by compare-and-swap; who was slower looks again whether its own notes
are as it thought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mlops_cli.errors import StateRefused
from mlops_cli.vcs import ledger_branch, objects, refs
from mlops_cli.vcs.note import Change, Changed, Note
from mlops_cli.vcs.repo import Git

BESIDE = "-claims"  # after the name of the ledger's branch
_QUIETLY = ("-c", "maintenance.auto=false", "fetch", "--no-tags", "--prune", "--quiet")


def refspec(remote: str, branch: str) -> str:
    """Return what brings the notes; the star: a branch that is not there yet is no error."""
    return f"+refs/heads/{branch}{BESIDE}*:{aside(remote)}*"


def aside(remote: str) -> str:
    """Return where the branch stands as it was last seen on `remote`."""
    return ledger_branch.aside(remote) + BESIDE


def read(git: Git, remote: str) -> dict[str, Note]:
    """Return the notes as last seen, by name."""
    blobs = _blobs(git, refs.tip(git, aside(remote)))
    found = zip(blobs, objects.read(git, list(blobs.values())), strict=True)
    return {name: Note(one.id, one.data.strip(b"\n")) for name, one in found if one is not None}


def change(
    git: Git,
    remote: str,
    branch: str,
    changes: Mapping[str, Change],
    *,
    time: datetime,
    along: Sequence[str] = (),
) -> Changed:
    """Make all of `changes` or none. What waits of the ledger goes first where anything goes
    `along`: an end that is recorded counts, whatever its claim says.

    Raises OutsideWorld ("refs-refused", "git-failed"), StateRefused ("git-busy").
    """
    if along:
        ledger_branch.push(git, remote, branch)
    ids = {name: _blob(git, one.new) for name, one in changes.items() if one.new is not None}
    name, asked = branch + BESIDE, False
    for attempt in range(ledger_branch.TRIES):
        tip = refs.tip(git, aside(remote))
        blobs = _blobs(git, tip)
        wrong = {name for name, one in changes.items() if blobs.get(name) != one.old}
        if wrong and asked:
            return Changed(False, {}, frozenset(wrong))
        if not wrong:
            kept = {name: blob for name, blob in blobs.items() if name not in changes}
            made = _commit(git, _tree(git, kept | ids), tip, time)
            if ledger_branch.replace(git, remote, name, tip, made, seen=aside(remote)):
                return Changed(True, ids)
            ledger_branch.pause(attempt)
        git.run(*_QUIETLY, "--no-write-fetch-head", remote, refspec(remote, branch))
        asked = True
    raise StateRefused(f"others kept moving {name} on {remote}", code="git-busy", hint="try again")


def _blobs(git: Git, commit: str | None) -> dict[str, str]:
    return {} if commit is None else refs.log_new(git, commit, None)


def _blob(git: Git, text: bytes) -> str:
    return git.run("hash-object", "-w", "--stdin", input=text + b"\n")


def _tree(git: Git, blobs: Mapping[str, str]) -> str:
    """Return the tree of path → blob."""
    rows: list[str] = []
    below: dict[str, dict[str, str]] = {}
    for path, blob in blobs.items():
        folder, slash, rest = path.partition("/")
        if slash:
            below.setdefault(folder, {})[rest] = blob
        else:
            rows.append(f"100644 blob {blob}\t{path}\0")
    rows += [f"040000 tree {_tree(git, each)}\t{name}\0" for name, each in below.items()]
    return git.run("mktree", "-z", input="".join(rows))


def _commit(git: Git, tree: str, former: str | None, time: datetime) -> str:
    by = f"mlops <mlops@localhost> {int(time.astimezone(UTC).timestamp())} +0000"
    parent = f"parent {former}\n" if former else ""
    text = f"tree {tree}\n{parent}author {by}\ncommitter {by}\n\nclaims [skip ci]\n"
    return git.run("hash-object", "-w", "-t", "commit", "--stdin", input=text)
