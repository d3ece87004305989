"""The refs of the ledger, sent to a git remote and fetched: each only moves forward, none is lost.

What was last seen there lies beside, under refs/mlops/remotes/<remote>/ledger/. So a push asks for
the network only if something waits, and what others folded away is not sent back.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs import objects, refs
from mlops_cli.vcs.answer import Answer
from mlops_cli.vcs.repo import Git

ON_A_BRANCH = "mlops config set ledger.branch mlops-ledger keeps them on a branch there"
FOLDED = "folded"  # beside the segments: which trees of which writers stand in them
_QUIETLY = ("-c", "maintenance.auto=false", "-c", "gc.auto=0", "fetch", "--no-tags", "--quiet")
_BEHIND = (
    "non-fast-forward", "fetch first", "needs force", "stale info", "cannot lock",
    "failed to update", "failed to lock", "reference already exists", "incorrect old value",
)  # fmt: skip


def refspec(remote: str) -> str:
    """Return what lets a plain `git fetch` bring the ledgers of others."""
    return f"+{refs.LEDGER}*:{refs.seen(remote)}*"


def waiting(git: Git, remote: str) -> dict[str, str]:
    """Return ref → commit of what `remote` is not known to have."""
    every, done = refs.heads(git), folded(git)
    due: dict[str, str] = {}
    for ref, (tip, tree) in every.items():
        there = every.get(refs.seen(remote, ref), ("", ""))[0]
        if not ref.startswith(refs.LEDGER) or there == tip or (ref, tree) in done:
            continue
        if not (there and ref == refs.LEDGER + refs.SEGMENTS):  # two of them are one at a fold
            due[ref] = tip
    return due


def push(git: Git, remote: str) -> int:
    """Send what waits and return how many refs that were.

    Where the remote has other commits of the same writer, two clones write under one name: what
    is here goes on under a name of its own. Raises OutsideWorld ("refs-refused", "git-failed").
    """
    advance(git, remote)
    due = waiting(git, remote)
    if not due:
        return 0
    answer = _send(git, remote, due)
    if answer.code != 0 and (behind := _behind(answer)):
        fetch(git, remote)
        for ref in behind & refs.tips(git, refs.LEDGER).keys():
            _part(git, remote, ref)
        due = waiting(git, remote)
        answer = _send(git, remote, due) if due else Answer(0, b"", "")
    if answer.code != 0:
        raise refused(remote, answer)
    _note(git, remote, due)
    return len(due)


def fetch(git: Git, remote: str) -> dict[str, str]:
    """Fetch the ledgers there and return ref → commit of those that moved here.

    They land beside first, because git would overwrite refs outside of heads and tags; then each
    moves only forward, so that nothing unsent is lost.
    """
    git.run(*_QUIETLY, "--prune", "--no-write-fetch-head", remote, refspec(remote))
    return advance(git, remote)


def advance(git: Git, remote: str) -> dict[str, str]:
    """Move the ledgers here forward to what was seen on `remote`, and drop what was folded."""
    mine = refs.tips(git, refs.LEDGER)
    aside = refs.seen(remote)
    moved: dict[str, str] = {}
    for name, theirs in refs.tips(git, aside).items():
        ref = refs.LEDGER + name.removeprefix(aside)
        ours = mine.get(ref)
        if ours == theirs or ref == refs.LEDGER + refs.SEGMENTS:
            continue  # segments are read where they are
        if (ours is None or holds_all(git, theirs, ours)) and refs.move(git, [(ref, ours, theirs)]):
            moved[ref] = theirs
    drop_folded(git)
    return moved


def drop_folded(git: Git) -> list[str]:
    """Remove the refs here all of whose records stand in segments, and return them."""
    done = folded(git)
    every = refs.heads(git).items() if done else ()
    gone = [(ref, tip) for ref, (tip, tree) in every if (ref, tree) in done]
    return [ref for ref, tip in gone if refs.move(git, [(ref, tip, None)])]


def folded(git: Git) -> set[tuple[str, str]]:
    """Return (ref, tree) of all whose records stand in the segments that are here."""
    heads = refs.heads(git)
    names = [f"{ref}:{FOLDED}" for ref in heads if ref.endswith(f"/{refs.SEGMENTS}")]
    names += [f"{ref}:{refs.SEGMENTS}/{FOLDED}" for ref in heads if ref.endswith(f"/{refs.BRANCH}")]
    found: set[tuple[str, str]] = set()
    for blob in objects.read(git, names):
        if blob is not None and blob.kind == "blob":
            for line in blob.data.decode("utf-8", "replace").splitlines():
                tree, _, writer = line.partition(" ")
                found.add((refs.LEDGER + writer, tree))
    return found


def holds_all(git: Git, newer: str, older: str) -> bool:
    """Tell whether every file of `older` is in `newer` as it was; a shallow clone knows it too."""
    words = ("diff-tree", "-r", "--name-only", "--no-renames", "--diff-filter=DMT", older, newer)
    answer = git.call(*words)
    return answer.code == 0 and not answer.out


def swap(git: Git, remote: str, moves: Mapping[str, tuple[str | None, str | None]]) -> bool:
    """Move refs there, ref → (from, to), each only if it stands where it is thought to; None: no
    such ref. Return whether all went. Raises OutsideWorld ("refs-refused", "git-failed")."""
    every, whole = list(moves.items()), True
    for start in range(0, len(every), 500):
        some = every[start : start + 500]
        leases = [f"--force-with-lease={ref}:{old or ''}" for ref, (old, _) in some]
        specs = [f"{new or ''}:{ref}" for ref, (_, new) in some]
        words = ("push", "--porcelain", "--no-verify", "--quiet", *leases, remote)
        answer = git.call(*words, *specs)
        stayed = _behind(answer)
        if answer.code != 0 and not stayed:
            raise refused(remote, answer)
        whole = whole and not stayed
        went = [(refs.seen(remote, ref), new) for ref, (_, new) in some if ref not in stayed]
        lines = (f"update {ref} {new}\n" if new else f"delete {ref}\n" for ref, new in went)
        git.run("update-ref", "--stdin", input="".join(lines))
    return whole


def refused(
    remote: str, answer: Answer, what: str = f"refs under {refs.LEDGER}", hint: str = ON_A_BRANCH
) -> OutsideWorld:
    """Return the error for a push of `what` that did not go through."""
    reasons = [words[-1] for words in _rejected(answer)]
    if any("remote rejected" in reason or "declined" in reason for reason in reasons):
        return OutsideWorld(
            f"{remote} does not take {what}: {reasons[0]}", code="refs-refused", hint=hint
        )
    said = answer.err.splitlines()[-1] if answer.err else answer.out.decode("utf-8", "replace")
    return OutsideWorld(
        f"git cannot push to {remote}: {said}",
        code="git-failed",
        hint=f"git remote -v; git ls-remote {remote}",
    )


def _send(git: Git, remote: str, due: Mapping[str, str]) -> Answer:
    specs = (f"{tip}:{ref}" for ref, tip in due.items())
    return git.call("push", "--porcelain", "--no-verify", "--quiet", remote, *specs)


def _note(git: Git, remote: str, sent: Mapping[str, str]) -> None:
    """Remember what the remote has now; git does it itself where a refspec tells it to."""
    lines = (f"update {refs.seen(remote, ref)} {tip}\n" for ref, tip in sent.items())
    git.run("update-ref", "--stdin", input="".join(lines))


def _rejected(answer: Answer) -> list[list[str]]:
    rows = answer.out.decode("utf-8", "replace").splitlines()
    return [row.split("\t") for row in rows if row.startswith("!\t")]


def is_behind(answer: Answer) -> bool:
    """Tell whether a push was turned away because somebody else had pushed before."""
    return bool(_behind(answer))


def _behind(answer: Answer) -> set[str]:
    return {
        words[1].partition(":")[2]
        for words in _rejected(answer)
        if any(word in words[-1] for word in _BEHIND)
    }


def _part(git: Git, remote: str, ref: str) -> None:
    """Let what is here go on under a new name, and `ref` be what it is there."""
    ours, theirs = refs.tip(git, ref), refs.tip(git, refs.seen(remote, ref))
    if ours is None or theirs is None or holds_all(git, theirs, ours):
        return
    name = ref.removeprefix(refs.LEDGER)
    import secrets

    fresh = f"{name[:70]}-{secrets.token_hex(3)}"
    parted = refs.move(git, [(refs.LEDGER + fresh, None, ours), (ref, ours, theirs)])
    if parted and git.run("config", "--get", "mlops.writer", check=False) == name:
        git.run("config", "--local", "mlops.writer", fresh)
