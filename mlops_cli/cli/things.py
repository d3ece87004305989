"""What a word given to `lineage` means: a version, data, a run, a step, a digest, an answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mlops_cli.cli import pointed, revisions
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger import lineage, query, words
from mlops_cli.ledger.index import Index
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version, check_name
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git

_SHORTEST = 4  # hex digits by which a digest may be named


@dataclass(frozen=True, slots=True)
class Thing:
    """Where a lineage begins: digests, and the version where the word names one."""

    starts: list[str]
    version: Version | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """What there is to name things by. `until` is the moment at which names are read."""

    git: Git
    index: Index
    registry: Registry
    root: Path
    cwd: Path
    until: str | None = None
    doubts: list[UsageError] = field(default_factory=list)

    def thing(self, word: str, otherwise: Callable[[], Thing | None] = lambda: None) -> Thing:
        """Return what `word` means, the first way of reading it that leads somewhere.

        `otherwise` is asked last, for what is dear to look up. Raises NotFound ("unknown-thing",
        "unknown-version", "unknown-alias"), UsageError ("ambiguous-digest", "ambiguous-run").
        """
        model, _, which = word.partition("@")
        if self._is_model(model):
            return self.version(model, which)
        for found in self._readings(word) if word else ():
            if found:
                return Thing(found)
        if thing := otherwise():
            return thing
        if self.doubts:
            raise self.doubts[0]
        near = text.nearest(word, self._known())
        raise NotFound(
            f"nothing is known of {word!r}" + (f" at {self.until}" if self.until else ""),
            code="unknown-thing",
            hint=f"did you mean {near}?"
            if near
            else "name a model (mlops models list), a run (mlops runs list), a data path, a digest",
        )

    def version(self, model: str, which: str) -> Thing:
        """Return the version that `model@which` means, or meant at `until`."""
        if self.until is None:
            found = self.registry.resolve(f"{model}@{which}" if which else model)
            alias = which if which and not _is_version(which) else None
            return self._start(found, alias)
        if which and not _is_version(which):
            events = self.registry.events(model, which)
            then = [one for one in events if not _after(one.payload["time"], self.until)]
            meant = self.registry.meant(then[-1]) if then else None
            if meant is not None:
                return self._start(meant, which)
            raise NotFound(
                f"{model}@{which} meant nothing at {self.until}",
                code="unknown-alias",
                hint=f"mlops models history {model}",
            )
        versions = self.registry.versions(model)
        chosen = self.registry.resolve(f"{model}@{which}") if which else None
        then_there = [one for one in versions if not _after(one.payload["created"], self.until)]
        if chosen is not None:
            then_there = [one for one in then_there if one.number == chosen.number]
        if not then_there:
            raise NotFound(
                f"{word_of(model, which)} was not registered by {self.until}",
                code="unknown-version",
                hint=f"mlops models history {model}",
            )
        return self._start(then_there[-1], None)

    def _is_model(self, name: str) -> bool:
        try:
            return bool(tags.names(self.git, f"mlops/{check_name(name)}/"))
        except UsageError:
            return False

    def _start(self, version: Version, alias: str | None) -> Thing:
        digest, run = str(version.digest), version.run
        starts = lineage.start_of(self.index, version.model, version.number, digest=digest, run=run)
        return Thing(starts, version, alias)

    def _readings(self, word: str) -> Iterator[list[str]]:
        path = Path(os.path.relpath(os.path.normpath(self.cwd / word), self.root)).as_posix()
        plain, revision = revisions.split(word, self.cwd)
        if revision and plain:
            at = Path(os.path.relpath(os.path.normpath(self.cwd / plain), self.root)).as_posix()
            yield [one for one in pointed.at(self.git, at, revision) if self._is_end(one)]
        if self.until is None:
            yield pointed.now(self.root, path)
        section, _, name = word.partition(".")
        if section == "features" and name:
            yield words.ends_of(self.index, f"feature.{name}", "output", until=self.until)
        if section == "data" and name:
            yield words.ends_of(self.index, f"data.{name}", "input", until=self.until)
        named = words.seen_as(self.index, path, until=self.until)
        named = named or words.seen_as(self.index, word, until=self.until)
        yield [named] if named else []
        yield self._digest(word)
        newest = self.index.newest("run", step=word)
        yield [str(r.digest) for r in newest if not self._later(r["time"])][:1]
        yield self._run(word)
        deployments = self.index.newest("deployment")
        here = (r for r in deployments if r["environment"] == word and not self._later(r["time"]))
        yield [str(record.digest) for record in here][:1]

    def _digest(self, word: str) -> list[str]:
        """Return the one digest that begins with `word`, of a record or of bytes."""
        name = word.removeprefix("sha256:").lower()
        if len(name) < _SHORTEST or not set(name) <= set("0123456789abcdef"):
            return []
        found = words.beginning(self.index, f"sha256:{name}")
        if len(found) > 1:
            self.doubts.append(
                UsageError(
                    f"{word!r} begins several digests",
                    code="ambiguous-digest",
                    hint="write more of it: " + ", ".join(one[:23] for one in found[:3]),
                    details={"digests": found},
                )
            )
            return []
        return found

    def _run(self, word: str) -> list[str]:
        try:
            records = query.run(self.index, word).records
        except UsageError as exc:
            if self.until is None:  # else they may all be of a later time
                self.doubts.append(exc)
            return []
        except NotFound:
            return []
        return [str(record.digest) for record in records if not self._later(record["time"])]

    def _is_end(self, digest: str) -> bool:
        return bool(digest and (self.index.edges_from(digest) or self.index.edges_to(digest)))

    def _later(self, time: object) -> bool:
        return self.until is not None and str(time) > self.until

    def _known(self) -> list[str]:
        models = self.registry.models()
        return [*models, *(f"{model}@production" for model in models), *words.names(self.index)]


def word_of(model: str, which: str) -> str:
    """Return the name as it was typed."""
    return f"{model}@{which}" if which else model


def _after(time: str, until: str) -> bool:
    """Return whether the moment in a tag, which may be written in any zone, is later."""
    return datetime.fromisoformat(time) > datetime.fromisoformat(until)


def _is_version(which: str) -> bool:
    return which.removeprefix("v").isdecimal() or which.startswith("sha256:")
