"""Every record read again and held against its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_cli.ledger.layout import Found, is_ours, read
from mlops_cli.vcs import refs
from mlops_cli.vcs.ledger_refs import FOLDED
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how many records were read, and what is wrong, by digest or path."""

    checked: int
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether every record is what its name says."""
        return not self.damaged


def verify(git: Git) -> Report:
    """Return what is wrong with the records on all refs of the ledger; nothing is cached."""
    found = Found()
    strange: dict[str, str] = {}
    for ref, (tip, _) in sorted(refs.heads(git).items()):
        blobs = refs.log_new(git, tip, None)
        folder = f"{refs.SEGMENTS}/" if ref.endswith(f"/{refs.BRANCH}") else ""
        for path in blobs:
            if not is_ours(path) and path != folder + FOLDED:
                strange[path] = f"{path} in {ref} is not where records lie"
        read(refs.read_blobs(git, blobs), ref, found)
    return Report(found.count, found.damaged | strange)
