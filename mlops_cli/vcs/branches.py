"""Branches of people, as their remote has them where it does: what a forge guards is its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.tagging import unreachable

_LOCAL, _TRACKED = "refs/heads/", "refs/remotes/"


def standing(git: Git) -> dict[str, str]:
    """Return name → the ref to read it by: of the remote that the local branch of that name
    follows, else of origin, else of the only remote that has it, else the local one.

    What the branch follows that is checked out does not count: that may be a candidate's.
    """
    form = "--format=%(refname) %(upstream:remotename)"
    rows = git.run("for-each-ref", form, _LOCAL, _TRACKED).splitlines()
    follows: dict[str, str] = {}
    tracked: dict[str, dict[str, str]] = {}
    for ref, _, followed in (row.partition(" ") for row in rows):
        if ref.startswith(_LOCAL):
            follows[ref.removeprefix(_LOCAL)] = followed
        else:
            remote, _, name = ref.removeprefix(_TRACKED).partition("/")
            tracked.setdefault(name, {})[remote] = ref
    found = {name: _LOCAL + name for name in follows}
    for name, refs in tracked.items():
        if name == "HEAD":
            continue
        choice = next((one for one in (follows.get(name), "origin") if one in refs), None)
        if choice is None and len(refs) == 1:
            (choice,) = refs
        if choice is not None:
            found[name] = refs[choice]
    return found


def fetch(git: Git, remote: str, patterns: Iterable[str]) -> None:
    """Fetch the branches of `remote` that begin as `patterns` do; it need not have any.

    Raises OutsideWorld ("registry-unreachable").
    """
    if ":" in remote or "/" in remote:
        return  # an address; nothing here tracks its branches
    # a name that is not there fails a fetch, a pattern does not; the price is a few more branches
    stems = dict.fromkeys(re.split(r"[*?[]", one, maxsplit=1)[0] for one in patterns)
    answer = git.call(
        *("-c", "maintenance.auto=false", "fetch", "--no-tags", "--no-write-fetch-head", remote),
        *(f"+{_LOCAL}{stem}*:{_TRACKED}{remote}/{stem}*" for stem in stems),
    )
    if answer.code != 0:
        raise unreachable(remote, answer)
