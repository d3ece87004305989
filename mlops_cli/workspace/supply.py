"""Objects on demand, into our cache: from another cache on this disk, then from remotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.config import Settings
from mlops_cli.errors import IntegrityError, MlopsError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached, Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.workspace import ignore

if TYPE_CHECKING:
    from datetime import datetime

    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.store.transfer.remote_index import RemoteIndex
    from mlops_cli.workspace.trust import Trust


@dataclass(slots=True)
class Supply:
    """Where the data of one repository is. A remote is opened, and asked once, when needed."""

    owner: str  # the repository, as errors name it
    cache: Cache  # ours
    settings: Settings  # theirs, which name the remotes
    root: Path | None  # what a relative remote is relative to; None where that is not this disk
    now: Callable[[], datetime]
    trust: Trust | None = None  # None: the settings are our own
    beside: Cache | None = None  # theirs, where it is on this disk
    progress: Progress = SILENT
    _open: dict[str | None, tuple[Remote, RemoteIndex]] = field(default_factory=dict)

    def shelf(self, remote: str | None) -> Shelf:
        """Return listings of what is kept in `remote` (the default one when None)."""
        return Shelf(self, remote)

    def bring(self, roots: Sequence[Root], *, remote: str | None = None) -> None:
        """Bring into our cache all below `roots` that it lacks.

        Raises NotFound ("missing-object", "no-remote"), IntegrityError ("damaged-object"),
        StateRefused ("foreign-endpoint"), OutsideWorld, all naming the repository.
        """
        ignore.hide(self.cache.root)
        lacking = [root for root in roots if not self._whole(root)]
        if lacking and self.beside is not None:
            from mlops_cli.store.copying import copy

            copy(self.beside, self.cache, lacking)
            lacking = [root for root in lacking if not self._whole(root)]
        if not lacking:
            return
        from mlops_cli.store.transfer.fetch import fetch

        place, index = self._place(remote, lacking[0].path)
        try:
            fetch(self.cache, place, index, lacking, progress=self.progress)
        except NotFound as exc:
            raise NotFound(
                f"{exc.message} (of {self.owner})",
                code="missing-object",
                hint="mlops push where the data was made",
                details=exc.details,
            ) from exc

    def read(self, digest: Digest, path: str, remote: str | None) -> bytes:
        """Return the listing `digest` of the folder `path`, fetched alone where we lack it."""
        try:
            return self.cache.read(digest)
        except (NotFound, IntegrityError):
            pass
        ignore.hide(self.cache.root)
        if self.beside is not None:
            try:
                data = self.beside.read(digest)
            except (NotFound, IntegrityError):
                pass
            else:
                self.cache.put(data)
                return data
        from mlops_cli.store.transfer.fetch import fetch_objects

        place, index = self._place(remote, path)
        fetch_objects(self.cache, place, index, [Reached(digest, 0, path, True)])
        try:
            return self.cache.read(digest)
        except NotFound as exc:
            raise NotFound(
                f"the listing of {path or 'a folder'} is not at {place.url} (of {self.owner})",
                code="missing-object",
                hint="mlops push where the data was made",
                details={"path": path, "digest": digest},
            ) from exc

    def _whole(self, root: Root) -> bool:
        reached = closure(self.cache, [root])
        return not (reached.absent or reached.damaged or self.cache.missing(reached.objects.keys()))

    def _place(self, name: str | None, path: str) -> tuple[Remote, RemoteIndex]:
        if name not in self._open:
            from mlops_cli.store.remotes.layout import check_format
            from mlops_cli.store.transfer.remote_index import memory, refresh
            from mlops_cli.workspace import remotes

            try:
                named = remotes.choose(self.settings, name)
            except NotFound as exc:
                raise NotFound(
                    f"{path} cannot be fetched: {self.owner} names no remote"
                    + (f" {name!r}" if name else ""),
                    code="no-remote",
                    hint="mlops remote add NAME URL and mlops push there, and commit",
                    details={"path": path, "owner": self.owner},
                ) from exc
            if self.root is None and _relative(named.url):
                raise _out_of_reach(self.owner, named.url)
            if self.trust is not None:
                self.trust.refuse(self.owner, named.url, named.options)
            remote = remotes.connect(named, self.root or Path("/"))
            check_format(remote, create=False)
            folder = memory(self.cache.root, remote.id)
            self._open[name] = remote, refresh(remote, folder, now=self.now())
        return self._open[name]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Listings read through a supply."""

    supply: Supply
    remote: str | None = None

    def read(self, digest: Digest) -> bytes:
        """Return the bytes of a listing. Raises as `Supply.read` does."""
        return self.supply.read(digest, "", self.remote)


def _relative(url: str) -> bool:
    return "://" not in url and not url.startswith("/")


def _out_of_reach(owner: str, url: str) -> MlopsError:
    return NotFound(
        f"the remote of {owner} is the folder {url} on the machine where it was set up",
        code="no-remote",
        hint="name a remote there that can be reached from here: s3://…, ssh://…",
        details={"owner": owner, "url": url},
    )
