"""Every record read again and held against its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import parse
from mlops_cli.vcs import refs
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
    checked = 0
    damaged: dict[str, str] = {}
    for ref, tip in sorted(refs.tips(git, refs.LEDGER).items()):
        blobs = refs.log_new(git, tip, None)
        for path, data in refs.read_blobs(git, blobs):
            checked += 1
            if data is None:
                damaged[path] = f"git has lost the bytes of {path} in {ref}"
                continue
            name = path.rpartition("/")[2].removesuffix(".json")
            digest = f"sha256:{name}"
            try:
                if path != f"records/{name[:2]}/{name}.json":
                    damaged[path] = f"{path} in {ref} is not where records lie"
                else:
                    parse(data, name=digest, source=ref)
            except IntegrityError as exc:
                damaged[digest] = exc.message
    return Report(checked, damaged)
