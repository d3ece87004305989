"""Versions and stages of GTO become versions and aliases of the registry, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.gto import artifact
from mlops_cli.integrations.gto.grammar import Said
from mlops_cli.ledger.record import timestamp
from mlops_cli.registry import records
from mlops_cli.registry.create import create
from mlops_cli.registry.modelfile import inspection
from mlops_cli.registry.move import Wish, move
from mlops_cli.registry.version import check_name
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, write_tree

if TYPE_CHECKING:
    from mlops_cli.ledger.append import Ledger
    from mlops_cli.registry.registry import Registry
    from mlops_cli.registry.version import Version
    from mlops_cli.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one tag, and why."""

    tag: str
    state: Literal["imported", "there", "new", "noted", "missing", "refused"]
    reason: str


@dataclass(slots=True)
class Taker:
    """Takes what tags say one after another; asking again takes what is new."""

    registry: Registry
    cache: Cache
    ledger: Ledger
    dry_run: bool = False
    stood: dict[tuple[str, str], int] = field(default_factory=dict)  # (model, commit) → version

    def take(self, every: list[Said]) -> Iterator[Row]:
        """Yield a row for each tag: imported, there already, noted, or refused and why."""
        for said in every:
            model = re.sub(r"[^A-Za-z0-9_.-]+", "-", said.name)
            try:
                check_name(model)
                if said.version is not None:
                    yield self._version(said, model)
                elif said.stage is not None:
                    yield self._stage(said, model)
                else:
                    yield Row(said.tag, "noted", "an alias is retired, a model never is")
            except MlopsError as exc:
                yield Row(said.tag, "refused", exc.message)

    def _version(self, said: Said, model: str) -> Row:
        if said.gone:
            return Row(said.tag, "noted", "a version is never taken back; its tag stays")
        git = self.registry.git
        path = artifact.path_of(git, said.commit, said.name)
        data = artifact.read(git, self.cache, said.commit, path)
        if data is None:
            return Row(said.tag, "missing", f"the bytes of {path} are not on this disk")
        found = inspection.inspect(data, name=path)
        inspection.admit(found, name=path)
        digest = Digest.of(data)
        known = self.registry.find(model, digest)
        if known is not None:
            self.stood[model, said.commit] = known.number
            return Row(said.tag, "there", f"{known.name} is that model")
        if self.dry_run:
            self.stood[model, said.commit] = 0
            return Row(said.tag, "new", f"{path} would be a version of {model}")
        version, _ = create(self.registry, model, self._payload(said, data, found), at=said.commit)
        self._record(version)
        self.stood[model, said.commit] = version.number
        return Row(said.tag, "imported", f"{version.name} is {path}")

    def _payload(self, said: Said, data: bytes, found: Any) -> dict[str, Any]:
        name = f"model.{found.format}"
        with self.cache.writer() as writer:
            digest = writer.put(data)
            tree = writer.put(write_tree([Entry(name, "file", digest, len(data))]))
        return {
            "digest": digest,
            "bundle": tree,
            "format": found.format,
            "file": found.summary(),
            "source": {"gto": said.tag, "version": said.version},
            "created": timestamp(said.time),
            "actor": said.actor,
        }

    def _stage(self, said: Said, model: str) -> Row:
        alias = check_name(str(said.stage), what="alias")
        number = self.stood.get((model, said.commit))
        if number is None and not said.gone:
            return Row(said.tag, "refused", f"no version of {model} stands at its commit")
        reason = f"the tag {said.tag} of GTO"
        events = self.registry.events(model, alias)
        if any(event.payload.get("reason") == reason for event in events):
            return Row(said.tag, "there", f"an event of {model}@{alias}")
        if said.gone and not events and not self.dry_run:
            return Row(said.tag, "noted", f"{model}@{alias} means nothing already")
        means = "nothing" if said.gone else f"v{number}" if number else "the version"
        if self.dry_run:
            return Row(said.tag, "new", f"{model}@{alias} would be {means}")
        version, action = (None, "retire") if said.gone else (number, "set")
        wish = Wish(model, alias, version, said.actor, reason, said.time, action)
        event = move(self.registry, wish, policy={}, evidence={})
        if event not in events:
            self._record(event)
        return Row(said.tag, "imported", f"{model}@{alias} is {means}")

    def _record(self, one: Version | Any) -> None:
        self.ledger.append(records.of(one))
