"""The models of a project, read from its tags: versions, and the events of aliases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlops_cli.registry import alias as alias_tags
from mlops_cli.registry import missing
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.alias import AliasEvent, broken, check_chain
from mlops_cli.registry.holdings import Holdings, gathered, understood
from mlops_cli.registry.version import Version, check_name
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Reader:
    """What the tags of a repository say of models. What is asked costs two git processes, and of
    the tags only those that the answer needs.

    With `remote`, numbers and events are taken there, after the ledger went (as `branch` where
    a forge refuses its refs): what a tag names is never behind the tag.
    """

    git: Git
    remote: str | None = None
    branch: str | None = None

    def holdings(self, model: str | None = None) -> dict[str, Holdings]:
        """Return model → its holdings, for all models or the one named."""
        prefix = f"mlops/{check_name(model)}/" if model else "mlops/"
        return gathered(tags.listing(self.git, prefix))

    def of(self, model: str) -> Holdings:
        """Return the holdings of `model`, empty where it has none."""
        return self.holdings(model).get(model) or Holdings(model, (), {})

    def models(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted({name.split("/")[1] for name in tags.names(self.git, "mlops/")})

    def standing(self) -> dict[str, tuple[int, Holdings]]:
        """Return model → how many numbers are given, and what holds now: the newest version and
        the last event of each alias. No other tag is read."""
        count: dict[str, int] = {}
        last: dict[tuple[str, str], tuple[int, str, str]] = {}
        for name, oid in tags.names(self.git, "mlops/").items():
            if match := version_tags.TAG.fullmatch(name):
                count[match["model"]] = count.get(match["model"], 0) + 1
                place, number = (match["model"], ""), int(match["number"])
            elif match := alias_tags.TAG.fullmatch(name):
                place, number = (match["model"], match["alias"]), int(match["event"])
            else:
                continue
            last[place] = max(last.get(place, (0, "", "")), (number, name, oid))
        held = gathered(tags.read(self.git, {name: oid for _, name, oid in last.values()}))
        return {model: (count.get(model, 0), each) for model, each in held.items()}

    def numbers(self, model: str) -> list[int]:
        """Return the numbers that are given, also to tags that cannot be read, in order."""
        return _numbers(tags.names(self.git, f"mlops/{check_name(model)}/v*"))

    def versions(self, model: str) -> list[Version]:
        """Return the versions of `model` that can be read, oldest first."""
        found = tags.listing(self.git, f"mlops/{check_name(model)}/v*")
        return list(held.versions) if (held := gathered(found).get(model)) else []

    def version(self, model: str, number: int) -> Version:
        """Return version `number`. Raises NotFound ("unknown-version"), IntegrityError."""
        found = tags.one(self.git, f"mlops/{check_name(model)}/v{number}")
        version = understood(found) if found is not None else None
        if isinstance(version, Version):
            return version
        numbers = self.numbers(model)
        if not numbers:
            raise missing.model(self.git, model, self.models())
        raise missing.version(self.git, model, number, numbers)

    def newest(self, model: str) -> Version:
        """Return the version of the highest number. Raises NotFound, IntegrityError."""
        numbers = self.numbers(model)
        if not numbers:
            raise missing.model(self.git, model, self.models())
        return self.version(model, numbers[-1])

    def find(self, model: str, digest: str) -> Version | None:
        """Return the version of `model` whose model file has `digest`, if there is one."""
        return next(iter(self.find_all(model, digest)), None)

    def find_all(self, model: str, prefix: str) -> list[Version]:
        """Return the versions whose model file has a digest that begins with `prefix`."""
        return self.given(model, prefix)[0]

    def given(self, model: str, prefix: str) -> tuple[list[Version], list[int]]:
        """Return `find_all` and `numbers`, both as of one moment."""
        found = tags.heads(self.git, f"mlops/{check_name(model)}/v*")
        held = gathered(tags.bodies(self.git, found, holding=prefix.encode())).get(model)
        every = held.versions if held else ()
        return [version for version in every if version.digest.startswith(prefix)], _numbers(found)

    def events(self, model: str, alias: str) -> list[AliasEvent]:
        """Return the events of the alias, oldest first, each naming the one before.

        Raises IntegrityError ("alias-chain-broken", "unreadable-tag", "damaged-alias").
        """
        check_name(alias, what="alias")
        found = tags.listing(self.git, f"mlops/{check_name(model)}/@{alias}/")
        events = [event for tag in found if isinstance(event := understood(tag), AliasEvent)]
        events.sort(key=lambda event: event.number)
        check_chain(events)
        return events

    def alias(self, model: str, name: str) -> AliasEvent | None:
        """Return the last event of the alias, None where it never had one.

        Raises IntegrityError as `events` does.
        """
        events = self.events(model, name)
        return events[-1] if events else None

    def current(self, model: str) -> dict[str, AliasEvent]:
        """Return alias → its last event, of all aliases of `model`; no other event is read.

        What cannot be read is left out; `alias` refuses it.
        """
        found = tags.heads(self.git, f"mlops/{check_name(model)}/@*/*")
        last: dict[str, tuple[int, str]] = {}
        for name in found:
            if match := alias_tags.TAG.fullmatch(name):
                row = (int(match["event"]), name)
                last[match["alias"]] = max(last.get(match["alias"], row), row)
        held = gathered(tags.bodies(self.git, {name: found[name] for _, name in last.values()}))
        return held[model].current() if model in held else {}

    def meant(self, event: AliasEvent) -> Version | None:
        """Return the version that `event` names, None where it retires the alias.

        Raises NotFound, IntegrityError ("alias-chain-broken") where it has another digest.
        """
        if event.version is None:
            return None
        version = self.version(event.model, event.version)
        said = event.payload.get("payload") or version.payload_digest
        if (version.digest, version.payload_digest) != (event.payload["digest"], said):
            raise broken(event, f"{event.name} names another model than {version.name} is")
        return version


def _numbers(names: Iterable[str]) -> list[int]:
    matches = (version_tags.TAG.fullmatch(name) for name in names)
    return sorted(int(match["number"]) for match in matches if match)
