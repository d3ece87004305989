"""How other places are reached from here: their repositories, their data, into our cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, MlopsError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.sources.download import download
from mlops_cli.store.sources.source import Version, spell
from mlops_cli.vcs import address
from mlops_cli.vcs.address import Address
from mlops_cli.workspace import foreign, ignore
from mlops_cli.workspace.foreign import Foreign
from mlops_cli.workspace.pin import GitPin, UrlPin, pin_of
from mlops_cli.workspace.supply import Supply
from mlops_cli.workspace.taking import Taken, take
from mlops_cli.workspace.tracked import Tracked
from mlops_cli.workspace.trust import Trust

DEEPEST = 5  # imports of imports that are followed
NOWHERE = Path("/nonexistent")  # what relative paths of a repository behind a network begin at


@dataclass(frozen=True, slots=True)
class Reach:
    """What it takes to fetch from elsewhere. `start` is where relative paths begin."""

    cache: Cache
    start: Path
    mirrors: Path
    home: Path
    now: Callable[[], datetime]
    trust: Trust = field(default_factory=Trust)
    progress: Progress = SILENT
    depth: int = 0  # how many imports of imports led here
    _opened: dict[tuple[str, str | None], tuple[Foreign, Supply]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def open(self, url: str, revision: str | None) -> tuple[Foreign, Supply]:
        """Return the repository at `url`, and where its data is; asked only the first time."""
        where = address.parse(url, start=self.start)
        if (where.url, revision) not in self._opened:
            self._opened[where.url, revision] = self._open(where, revision)
        return self._opened[where.url, revision]

    def _open(self, where: Address, revision: str | None) -> tuple[Foreign, Supply]:
        found = foreign.open_foreign(where, revision, mirrors=self.mirrors)
        supply = found.supply(
            self.cache, now=self.now, home=self.home, trust=self.trust, progress=self.progress
        )
        return found, supply

    def git(
        self, url: str, path: str, revision: str | None, *, data: bool = True
    ) -> tuple[Taken, GitPin, str]:
        """Take a path of a git repository; the last value says why the answer may be old.

        Without `data`, only what it takes to know the digest is fetched.
        """
        ignore.hide(self.cache.root)
        found, supply = self.open(url, revision)
        inside = foreign.clean(path)
        further = replace(
            self, start=found.at.address.root or NOWHERE, depth=self.depth + 1, _opened={}
        )
        taken = take(found, inside, supply, data=data, again=further.again)
        pin = GitPin(url, inside, revision, found.at.commit, taken.digest)
        return taken, pin, found.at.stale

    def url(
        self, url: str, options: Mapping[str, Any], pinned: Version | None = None
    ) -> tuple[Taken, UrlPin]:
        """Take what a plain URL has, or had where it keeps what is `pinned`."""
        ignore.hide(self.cache.root)
        got = download(
            spell(url, start=self.start),
            self.cache,
            options=options,
            pinned=pinned,
            progress=self.progress,
        )
        taken = Taken(got.digest, got.kind, got.size, got.files)
        return taken, UrlPin(url, got.version, got.digest, options)

    def again(self, one: Tracked) -> None:
        """Bring the data of an import into the cache once more, from where it came.

        Raises IntegrityError ("source-changed") where other bytes are there now, NotFound
        ("no-source") for what was not imported, and what `git` and `url` raise.
        """
        if self.depth > DEEPEST:
            raise NotFound(
                f"{one.path} is an import of an import of an import, {self.depth} times",
                code="no-source",
                hint="import it from where it was made",
                details={"path": one.path},
            )
        match pin_of(one):
            case GitPin() as pin:
                try:
                    taken, _, _ = self.git(pin.url, pin.path, pin.commit)
                except NotFound as exc:
                    if exc.code not in ("unknown-revision", "missing-path"):
                        raise
                    raise _changed(one, f"{pin.url} no longer has {pin}", exc) from exc
                if taken.digest != one.digest:
                    raise _changed(one, f"{pin.url} has other bytes at {pin}", None)
            case UrlPin() as pin:
                if self.depth:  # the pointer is another repository's
                    self.trust.refuse(one.path, pin.url, pin.options)
                taken, found = self.url(pin.url, pin.options, pin.version)
                if taken.digest != one.digest:
                    raise _changed(one, f"{pin.url} was {pin} and is {found} now", None)
            case _:
                raise NotFound(
                    f"{one.path} was not imported from anywhere",
                    code="no-source",
                    hint=f"mlops pull {one.path}",
                    details={"path": one.path},
                )


def _changed(one: Tracked, why: str, cause: MlopsError | None) -> IntegrityError:
    return IntegrityError(
        f"the source of {one.path} has changed: {why}",
        code="source-changed",
        hint=f"mlops update {one.path} takes what is there now; the old bytes are only where they "
        "were fetched before (mlops import … --push keeps them on a remote)",
        details={"path": one.path, "cause": cause.code if cause else None},
    )
