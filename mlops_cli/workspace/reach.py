"""How other places are reached from here: their repositories, their data, into our cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, MlopsError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.download import download
from mlops_cli.store.source import Version, spell
from mlops_cli.vcs import address
from mlops_cli.workspace import foreign, ignore
from mlops_cli.workspace.foreign import Foreign
from mlops_cli.workspace.pin import GitPin, UrlPin, pin_of
from mlops_cli.workspace.supply import Supply
from mlops_cli.workspace.taking import Taken, take
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Reach:
    """What it takes to fetch from elsewhere. `start` is where relative paths begin."""

    cache: Cache
    start: Path
    mirrors: Path
    home: Path
    now: Callable[[], datetime]
    progress: Progress = SILENT

    def open(self, url: str, revision: str | None) -> tuple[Foreign, Supply]:
        """Return the repository at `url`, and where its data is."""
        where = address.parse(url, start=self.start)
        found = foreign.open_foreign(where, revision, mirrors=self.mirrors)
        supply = found.supply(self.cache, now=self.now, home=self.home, progress=self.progress)
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
        taken = take(found, inside, supply, data=data)
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
        hint=f"mlops update {one.path} takes what is there now; a clone that has the old bytes "
        f"can keep them: mlops push {one.path}",
        details={"path": one.path, "cause": cause.code if cause else None},
    )
