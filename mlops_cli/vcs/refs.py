"""Files on a ref that is never checked out: appended by plumbing, read back."""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from mlops_cli.errors import StateRefused
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.objects import read
from mlops_cli.vcs.repo import Git, Identity

TRIES = 50
LEDGER = "refs/mlops/ledger/"
REMOTES = "refs/mlops/remotes/"  # as they were last seen on a git remote
SEGMENTS = "_segments"  # instead of a writer: what was folded; no writer can be called so
BRANCH = "ledger_branch"  # below a remote: the branch that stands for all refs there


def append(
    git: Git,
    ref: str,
    files: Mapping[str, bytes],
    message: str,
    *,
    author: Identity | None = None,
    time: datetime | None = None,
) -> str:
    """Add `files` (path → bytes) to `ref` in one commit and return it; the ref is made if absent.

    Costs one process and the trees on the way to the new paths, however much the ref holds. The
    ref moves by compare-and-swap; a lost race is tried again. Work tree, index and branches are
    never touched.
    """
    author = author or git.identity()
    stamp = (time or datetime.now(UTC)).astimezone(UTC)
    by = f"{_plain(author.name)} <{_plain(author.email)}> {int(stamp.timestamp())} +0000"
    for attempt in range(TRIES):
        former = tip(git, ref)
        stream = b"".join(_stream(ref, former, files, message, by))
        answer = git.call("fast-import", "--quiet", "--done", input=stream)
        if answer.code == 0:
            return answer.out.decode().split()[-1]
        if "new tip" not in answer.err and "cannot lock ref" not in answer.err:
            raise failed(("fast-import",), answer)
        clock.sleep(0.002 * attempt)
    raise StateRefused(f"other writers kept moving {ref}", code="git-busy", hint="try again")


def _stream(
    ref: str, former: str | None, files: Mapping[str, bytes], message: str, by: str
) -> Iterator[bytes]:
    text = message.encode()
    yield f"commit {ref}\nmark :1\ncommitter {by}\ndata {len(text)}\n".encode() + text + b"\n"
    if former is not None:
        yield f"from {former}\n".encode()
    for path in sorted(files):
        if path.startswith('"') or "\n" in path:
            raise ValueError(f"not a path for a ref: {path!r}")
        yield f"M 100644 inline {path}\ndata {len(files[path])}\n".encode() + files[path] + b"\n"
    yield b"get-mark :1\ndone\n"


def seen(remote: str, ref: str = LEDGER) -> str:
    """Return where a ref of the ledger stands as it was last seen on `remote`."""
    return f"{REMOTES}{remote}/{ref.removeprefix('refs/mlops/')}"


def move(git: Git, moves: Iterable[tuple[str, str | None, str | None]]) -> bool:
    """Move all of (ref, from, to) or none; None: there is no such ref. False: one stood elsewhere.

    git keeps the old commits until it collects what nothing names.
    """
    lines = []
    for ref, old, new in moves:
        nothing = "0" * len(old or new or "")
        lines.append(f"update {ref} {new or nothing} {old or nothing}\n")
    return not lines or git.call("update-ref", "--stdin", input="".join(lines)).code == 0


def tip(git: Git, ref: str) -> str | None:
    """Return the commit that `ref` points to, or None where there is no such ref."""
    return tips(git, ref).get(ref)


def tips(git: Git, prefix: str) -> dict[str, str]:
    """Return ref → object id of all refs under `prefix`, by one process."""
    listing = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix)
    return {name: oid for oid, _, name in (row.partition(" ") for row in listing.splitlines())}


def heads(git: Git) -> dict[str, tuple[str, str]]:
    """Return ref → commit and tree of every ledger that is here, also as seen on remotes.

    What was only fetched counts: a plain `git fetch` is enough to know it.
    """
    words = ("for-each-ref", "--format=%(objectname) %(tree) %(refname)", LEDGER, REMOTES)
    rows = (row.split(" ", 2) for row in git.run(*words).splitlines())
    return {
        name: (oid, tree)
        for oid, tree, name in rows
        if name.startswith(LEDGER) or "/ledger/" in name or name.endswith(f"/{BRANCH}")
    }


def changes(
    git: Git, pairs: Mapping[str, tuple[str | None, str]]
) -> dict[str, list[tuple[str, str, str]]]:
    """Return ref → (A, M or D; path; blob id) for ref → (tree before, tree now); one process.

    Raises OutsideWorld ("git-failed") where git has lost a tree.
    """
    if not pairs:
        return {}
    names = list(pairs)
    asked = "".join(f"{before or _empty(now)} {now}\n" for before, now in pairs.values())
    words = ("diff-tree", "--stdin", "-r", "-z", "--no-renames")
    answer = git.call(*words, input=asked)
    if answer.code != 0:
        raise failed(words, answer)
    found: dict[str, list[tuple[str, str, str]]] = {name: [] for name in names}
    parts = answer.out.decode("utf-8", "surrogateescape").split("\0")
    which, at = -1, 0
    while at < len(parts) - 1:
        # each pair begins with a line of its own, which stands before the next difference
        which += parts[at].count("\n")
        meta = parts[at].rpartition("\n")[2].split(" ")
        found[names[which]].append((meta[4], parts[at + 1], meta[3]))
        at += 2
    return found


def _empty(like: str) -> str:
    """Return the id of a tree without files, which git knows without having it."""
    return (hashlib.sha1 if len(like) == 40 else hashlib.sha256)(b"tree 0\0").hexdigest()


def read_tree(git: Git, ref: str) -> dict[str, bytes]:
    """Return path → bytes of all files on `ref`; empty where there is no such ref."""
    if tip(git, ref) is None:
        return {}
    found = read_blobs(git, log_new(git, ref, None))
    return {path: data for path, data in found if data is not None}


def log_new(git: Git, ref: str, since: str | None) -> dict[str, str]:
    """Return path → blob id of the files that `ref` holds and the commit `since` did not.

    All of them when `since` is None or a commit that git no longer has. Raises OutsideWorld
    ("git-failed") where git has lost a part of the ref.
    """
    if since is not None:
        answer = git.call("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AM", since, ref)
        if answer.code == 0:
            words = answer.out.decode("utf-8", "surrogateescape").split("\0")
            return {words[i + 1]: words[i].split(" ")[3] for i in range(0, len(words) - 1, 2)}
    answer = git.call("ls-tree", "-r", "-z", ref)
    if answer.code != 0:
        raise failed(("ls-tree",), answer)
    listed = answer.out.decode("utf-8", "surrogateescape").split("\0")
    rows = (row.partition("\t") for row in listed)
    return {path: meta.split(" ")[2] for meta, _, path in rows if path}


def read_blobs(git: Git, blobs: Mapping[str, str]) -> Iterator[tuple[str, bytes | None]]:
    """Yield (path, bytes) for path → blob id, through a few children, not one for each.

    None stands for bytes that git has lost.
    """
    names = list(blobs)
    for start in range(0, len(names), 20_000):
        some = names[start : start + 20_000]
        for name, found in zip(some, read(git, [blobs[name] for name in some]), strict=True):
            yield name, found.data if found is not None else None


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter not in "<>\n\0")
