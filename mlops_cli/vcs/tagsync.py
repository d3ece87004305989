"""All tags of ours to and from a git remote; what is there is never replaced, nor what is here."""

from __future__ import annotations

from mlops_cli.errors import IntegrityError
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.tagging import OURS, other_there, unreachable
from mlops_cli.vcs.tags import HERE, names

_AT_ONCE = 1000  # names on one command line


def push(git: Git, remote: str) -> int:
    """Send the tags that `remote` lacks, versions before the events that name them, and return
    how many that were.

    Of a model with a tag that is another one there nothing is sent; the others go.
    Raises IntegrityError ("tag-taken") naming those, OutsideWorld ("git-failed").
    """
    mine = names(git, OURS)
    if not mine:
        return 0
    theirs = _theirs(git, remote)
    taken = [name for name, oid in mine.items() if theirs.get(name, oid) != oid]
    blocked = {_model(name) for name in taken}
    lacked = [name for name in mine if name not in theirs and _model(name) not in blocked]
    lacked.sort(key=lambda name: "/@" in name)
    for start in range(0, len(lacked), _AT_ONCE):
        specs = [f"{HERE}{name}:{HERE}{name}" for name in lacked[start : start + _AT_ONCE]]
        answer = git.call("push", "--porcelain", "--no-verify", "--atomic", remote, *specs)
        if answer.code != 0:
            raise failed(("push",), answer)
    if taken:
        error = other_there(remote, HERE + taken[0])
        error.details["tags"] = taken
        raise error
    return len(lacked)


def fetch(git: Git, remote: str, prefix: str = OURS) -> None:
    """Fetch the tags under `prefix`; one that is here is never replaced.

    Raises IntegrityError ("tag-taken") naming those that are others there, OutsideWorld.
    """
    answer = git.call(
        *("-c", "maintenance.auto=false", "fetch", "--no-tags", "--no-write-fetch-head"),
        *(remote, f"{HERE}{prefix}*:{HERE}{prefix}*"),
    )
    if answer.code == 0:
        return
    if "would clobber existing tag" in answer.err:
        rows = (line.split() for line in answer.err.splitlines() if "clobber" in line)
        taken = sorted({row[row.index("->") + 1] for row in rows if "->" in row})
        raise IntegrityError(
            f"{remote} has another tag {taken[0] if taken else 'of a name that exists here'}",
            code="tag-taken",
            hint=f"git ls-remote --tags {remote}; git tag -d NAME if theirs is right",
            details={"tags": taken},
        )
    raise unreachable(remote, answer)


def _theirs(git: Git, remote: str) -> dict[str, str]:
    listed = git.run("ls-remote", "--refs", remote, f"{HERE}{OURS}*")
    rows = (line.partition("\t") for line in listed.splitlines())
    return {name.removeprefix(HERE): oid for oid, _, name in rows}


def _model(name: str) -> str:
    return name.split("/")[1]
