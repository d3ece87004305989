"""The parts of a project that registering and promoting work with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlops_cli.config import Settings
    from mlops_cli.ledger.append import Ledger
    from mlops_cli.registry.protected import Protected
    from mlops_cli.registry.registry import Registry
    from mlops_cli.store.cache import Cache
    from mlops_cli.vcs.repo import Git


class Parts(Protocol):
    """`serving.parts.Parts` is one, so that whoever deploys may register and promote with it."""

    @property
    def root(self) -> Path: ...
    @property
    def git(self) -> Git: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def settings(self) -> Settings | None: ...

    @property
    def protected(self) -> Protected:
        """The branch whose policies count."""
