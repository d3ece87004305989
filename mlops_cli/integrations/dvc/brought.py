"""What became of the bytes that were wanted: here now, missing or corrupt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mlops_cli.integrations.dvc.shelf import Wanted
from mlops_cli.store.digest import Digest


class Got(NamedTuple):
    """Bytes that are in the cache now, or attached to it."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes that could not be brought: nowhere to be found, or not what their name says."""

    wanted: Wanted
    state: Literal["missing", "corrupt"]
    where: str


@dataclass(slots=True)
class Result:
    """What was brought, by the key of what was wanted, and what was not."""

    got: dict[tuple[str, str], Got] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    hashed: int = 0  # objects that were read
    fetched: int = 0  # of which from a remote
    copied: int = 0  # bytes that took new space in our cache
