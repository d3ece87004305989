"""The tags of GTO: `name@v1.2.3` registers, `name#stage#n` assigns, a `!` takes back.

https://github.com/iterative/gto: a stage is given to the version that stands at the same commit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

_NAME = r"(?P<name>[a-z](?:[a-z0-9-]*[a-z0-9])?(?::?[^@#\s]*)?)"
_VERSION = re.compile(
    _NAME + r"@v(?P<version>\d+\.\d+\.\d+[^\s!#]*)(?P<gone>!)?(?:#(?P<order>\d+))?"
)
_STAGE = re.compile(_NAME + r"#(?P<stage>[a-z][a-z0-9-]*)(?P<gone>!)?(?:#(?P<order>\d+))?")
_DEPRECATED = re.compile(_NAME + r"@deprecated(?P<gone>!)?(?:#(?P<order>\d+))?")
_FIELDS = ("refname:lstrip=2", "objectname", "*objectname", "creatordate:unix", "taggername",
           "taggeremail")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What one tag says of the artifact `name`: a version, a stage, or that it is deprecated.

    `gone` takes back what an earlier tag said.
    """

    tag: str
    name: str
    commit: str
    time: datetime
    actor: str
    version: str | None = None
    stage: str | None = None
    gone: bool = False
    order: int = 0


def read(git: Git) -> list[Said]:
    """Return what the tags of GTO say, oldest first."""
    pattern = "%00".join(f"%({field})" for field in _FIELDS)
    words = ("--sort=creatordate", f"--format={pattern}", "refs/tags")
    rows = (line.split("\0") for line in git.run("for-each-ref", *words).splitlines())
    found = []
    for tag, own, target, seconds, who, mail in rows:
        when = datetime.fromtimestamp(int(seconds or 0), UTC)
        actor = f"{who} {mail}".strip() or "unknown"
        if said := parse(tag, target or own, when, actor):
            found.append(said)
    # within a second: a stage is given to a version that was made just before
    return sorted(found, key=lambda said: (said.time, said.version is None, said.order))


def parse(tag: str, commit: str, time: datetime, actor: str) -> Said | None:
    """Return what a tag says, None where it is not one of GTO."""
    for pattern in (_VERSION, _STAGE, _DEPRECATED):
        if match := pattern.fullmatch(tag):
            had = match.groupdict()
            return Said(
                *(tag, had["name"], commit, time, actor),
                version=had.get("version"),
                stage=had.get("stage"),
                gone=bool(had["gone"]),
                order=int(had["order"] or 0),
            )
    return None
