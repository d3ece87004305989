"""What git says when another repository cannot be read, in words a person can act on."""

from __future__ import annotations

import re

from mlops_cli.errors import MlopsError, NotFound, OutsideWorld
from mlops_cli.vcs.address import Address
from mlops_cli.vcs.answer import Answer

_DENIED = re.compile(
    r"authentication failed|permission denied|could not read user|returned error: 40[13]", re.I
)


def unknown_revision(where: Address, revision: str | None) -> NotFound:
    """Return the error for a revision that a repository does not have."""
    if revision is None:
        return NotFound(
            f"{where.url} has no default branch",
            code="unknown-revision",
            hint=f"name a branch or tag with --rev: git ls-remote {where.url}",
            details={"url": where.url},
        )
    return NotFound(
        f"{where.url} has no revision {revision!r}",
        code="unknown-revision",
        hint=f"git ls-remote {where.url}",
        details={"url": where.url, "revision": revision},
    )


def no_repository(where: Address) -> NotFound:
    """Return the error for a folder that is not there."""
    return NotFound(
        f"there is no repository at {where.url}",
        code="no-repository",
        hint="correct the path",
        details={"url": where.url},
    )


def explain(where: Address, said: Answer) -> MlopsError:
    """Return the error for what git said when it could not fetch.

    Codes: "no-repository", "repository-denied", "repository-unreachable".
    """
    lines = [line for line in said.err.splitlines() if not line.startswith("warning:")]
    told = next((line for line in lines if line.startswith(("fatal:", "ERROR:"))), said.err)
    told = told.removeprefix("fatal: ").removeprefix("ERROR: ")
    details = {"url": where.url, "stderr": said.err[-2000:]}
    if where.folder is not None and not where.folder.exists():
        return no_repository(where)
    if "dubious ownership" in said.err:
        return OutsideWorld(
            f"{where.url} belongs to another user, and git does not read it",
            code="repository-denied",
            hint=f"if you trust them: git config --global --add safe.directory {where.url}",
            details=details,
        )
    if _DENIED.search(said.err):
        return OutsideWorld(
            f"{where.url} refuses: {told}",
            code="repository-denied",
            hint="sign in with git's credential helper or ssh agent; "
            f"git ls-remote {where.url} must answer",
            details=details,
        )
    return OutsideWorld(
        f"{where.url} does not answer: {told}",
        code="repository-unreachable",
        hint=f"check network and URL: git ls-remote {where.url}",
        details=details,
    )
