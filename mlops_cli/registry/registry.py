"""The registry of a project: what its tags say, and how they become more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.reader import Reader
from mlops_cli.registry.version import Version
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.config import Settings


@dataclass(frozen=True, slots=True)
class Registry(Reader):
    """The registry of a repository, to read and to add to; nothing in it is ever changed."""

    def resolve(self, text: str) -> Version:
        """Return the version that a name means; see `registry.naming`."""
        from mlops_cli.registry.naming import resolve

        return resolve(self, text)

    def create(self, model: str, payload: Mapping[str, Any]) -> Version:
        """Register `payload` as the next version; see `registry.create`."""
        from mlops_cli.registry.create import create

        return create(self, model, payload)[0]

    def move(
        self,
        model: str,
        alias: str,
        version: Version | int | None,
        *,
        policy: Mapping[str, Any],
        evidence: Mapping[str, Any],
        actor: str,
        reason: str,
        time: datetime,
        expected: int | None = None,
        action: str | None = None,
        parents: tuple[str, ...] = (),
        policy_from: Mapping[str, Any] | None = None,
    ) -> AliasEvent:
        """Make `alias` mean `version` by one further event; see `registry.move`."""
        from mlops_cli.registry.move import Wish, move

        number = version.number if isinstance(version, Version) else version
        wish = Wish(model, alias, number, actor, reason, time, action, parents, policy_from)
        return move(self, wish, policy=policy, evidence=evidence, expected=expected)


def shared(git: Git, settings: Settings) -> Registry:
    """Return the registry whose numbers are taken on the git remote, if there is one and
    registry.share does not say otherwise."""
    from mlops_cli.vcs import exchange

    remote = exchange.remote_of(git) if settings.get("registry.share") else None
    return Registry(git, remote, settings.get("ledger.branch"))
