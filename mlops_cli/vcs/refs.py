"""Files on a ref that is never checked out: appended by plumbing, read back, sent and fetched."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from mlops_cli.errors import OutsideWorld, StateRefused
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.objects import read
from mlops_cli.vcs.repo import Git, Identity

TRIES = 50
LEDGER = "refs/mlops/ledger/"


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


def tip(git: Git, ref: str) -> str | None:
    """Return the commit that `ref` points to, or None where there is no such ref."""
    return tips(git, ref).get(ref)


def tips(git: Git, prefix: str) -> dict[str, str]:
    """Return ref → object id of all refs under `prefix`, by one process."""
    listing = git.run("for-each-ref", "--format=%(objectname) %(refname)", prefix)
    return {name: oid for oid, _, name in (row.partition(" ") for row in listing.splitlines())}


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


def push(git: Git, remote: str, prefix: str = LEDGER) -> None:
    """Send the refs under `prefix`; each only moves forward there.

    Raises StateRefused ("ref-diverged") where the remote has commits of the same writer that
    this clone does not know, OutsideWorld ("git-failed") where it cannot be reached.
    """
    if not tips(git, prefix):
        return
    answer = git.call("push", "--porcelain", "--no-verify", remote, f"{prefix}*:{prefix}*")
    if answer.code == 0:
        return
    said = answer.out.decode("utf-8", "replace")
    rejected = [row.split("\t")[1] for row in said.splitlines() if row.startswith("!\t")]
    if rejected:
        raise StateRefused(
            f"{remote} holds other commits on {rejected[0].partition(':')[2]}",
            code="ref-diverged",
            hint="two clones write under one name; git config --unset mlops.writer in one of them",
            details={"refs": rejected},
        )
    raise OutsideWorld(
        f"git cannot push to {remote}: {answer.err.splitlines()[-1] if answer.err else said}",
        code="git-failed",
        hint=f"git remote -v; git ls-remote {remote}",
    )


def fetch(git: Git, remote: str, prefix: str = LEDGER) -> dict[str, str]:
    """Fetch the refs under `prefix` and return ref → commit of those that moved here.

    They land beside (refs/mlops/remotes/<remote>/…) first, because git would overwrite refs
    outside of heads and tags; then each moves only forward, so that nothing unsent is lost.
    """
    aside = f"refs/mlops/remotes/{remote}/{prefix.removeprefix('refs/mlops/')}"
    git.run("fetch", "--no-tags", "--quiet", remote, f"+{prefix}*:{aside}*")
    return advance(git, remote, prefix)


def advance(git: Git, remote: str, prefix: str = LEDGER) -> dict[str, str]:
    """Move the refs under `prefix` forward to what was fetched beside; as `fetch` says."""
    aside = f"refs/mlops/remotes/{remote}/{prefix.removeprefix('refs/mlops/')}"
    mine = tips(git, prefix)
    moved: dict[str, str] = {}
    for name, theirs in tips(git, aside).items():
        ref = prefix + name.removeprefix(aside)
        ours = mine.get(ref)
        if ours == theirs:
            continue
        if ours and git.call("merge-base", "--is-ancestor", ours, theirs).code != 0:
            continue
        if git.call("update-ref", ref, theirs, ours or "").code == 0:
            moved[ref] = theirs
    return moved


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter not in "<>\n\0")
