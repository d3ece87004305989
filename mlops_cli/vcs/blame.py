"""Since when lines of a file are what they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops_cli.vcs.repo import Git

_HEAD = re.compile(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?")


@dataclass(frozen=True, slots=True)
class Origin:
    """The commit that made a line what it is, and when it was committed."""

    commit: str
    time: datetime


def origins(git: Git, path: str, lines: Collection[int]) -> dict[int, Origin]:
    """Return where each of `lines` (from 1) comes from; those not committed yet are left out."""
    if not lines:
        return {}
    asked = [word for line in sorted(set(lines)) for word in ("-L", f"{line},{line}")]
    answer = git.call("blame", "--porcelain", *asked, "--", path)
    if answer.code != 0:
        return {}  # nothing is committed, or not this file
    at: dict[int, str] = {}
    times: dict[str, datetime] = {}
    commit = ""
    for row in answer.out.decode("utf-8", "replace").splitlines():
        if match := _HEAD.fullmatch(row):
            commit = match[1]
            at[int(match[2])] = commit
        elif row.startswith("committer-time "):
            times[commit] = datetime.fromtimestamp(int(row.split()[1]), UTC)
    return {line: Origin(one, times[one]) for line, one in at.items() if set(one) != {"0"}}
