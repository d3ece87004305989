"""What a git process said, and the error when it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_cli.errors import OutsideWorld


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git process said: exit status, stdout, stderr."""

    code: int
    out: bytes
    err: str


def failed(args: Sequence[str], answer: Answer) -> OutsideWorld:
    """Return the error for a git command that failed, in git's own last line."""
    said = answer.err.splitlines()[-1] if answer.err else f"exit status {answer.code}"
    verb = next((arg for arg in args if not arg.startswith("-") and "=" not in arg), "git")
    return OutsideWorld(
        f"git {verb} failed: {said.removeprefix('fatal: ').removeprefix('error: ')}",
        code="git-failed",
        hint="run the same git command by hand to see all that it says",
        details={"command": ["git", *args][:20], "stderr": answer.err[-4000:]},
    )
