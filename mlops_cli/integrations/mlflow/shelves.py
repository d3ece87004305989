"""Where artifacts lie, and how they come into the cache: as bytes, never loaded, never unpickled.

A URI in a database or a meta.yaml is a claim of a stranger. A path is followed only below the
folders that the person named (the store itself, and --artifacts); a URL only when asked, and then
through the door to fsspec.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlops_cli.errors import MlopsError, NotFound, StateRefused
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.ledger.record import Record
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.ingest import ingest

_PROXIED = "mlflow-artifacts"
_LOCAL = ("", "file")
# of the many that fsspec knows, those that lead to no file of this machine
_REMOTE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "sftp", "ssh", "http", "https")

# what lay at a place when it was read, to see whether it changed: files and bytes of a folder,
# or what the listing of a URL was
Mark = list[Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What came into the cache: a tree, and the mark of its place; or why nothing did."""

    tree: str | None = None
    mark: Mark | None = None
    why: str = ""

    @property
    def source(self) -> dict[str, Any] | None:
        """What a record says of the place."""
        return {"artifacts": self.mark} if self.mark is not None else None


@dataclass(frozen=True, slots=True)
class Shelves:
    """The folders below which artifacts may be read; `remote` lets URLs in."""

    roots: tuple[Path, ...]
    cache: Cache
    remote: bool = False
    look_only: bool = False

    def take(self, thing: Entity, former: Record | None) -> Taken:
        """Store the artifacts of a run or a logged model. Those of an earlier import, of which
        `former` is the record, stay where nothing changed, and where nothing can be read now."""
        kept = _kept(former)
        try:
            uri = thing.facts.get("artifacts")
            if not uri or (place := self._place(str(uri))) is None:
                return kept or Taken(mark=[0, 0])
            mark = _mark(place) if kept or isinstance(place, Path) else None
            if kept and kept.mark == mark:
                return kept
            return Taken(mark=mark) if self.look_only else self._store(place)
        except NotFound:
            why = "its artifacts are gone"
        except ValueError as exc:  # of urlsplit, and of a path with a NUL
            why = f"{uri!r} is no place: {exc}"
        except MlopsError as exc:
            why = f"{exc.message}; {exc.hint}"
        return Taken(kept.tree, kept.mark, why) if kept else Taken(why=why)

    def fetch(self, uri: str) -> str | None:
        """Store what lies at `uri` and return its tree, None where nothing is. Raises
        StateRefused as a place that may not be read does, OutsideWorld."""
        place = self._place(uri)
        return self._store(place).tree if place is not None else None

    def _store(self, place: Path | str) -> Taken:
        if isinstance(place, Path):
            stored = ingest(place, cache=self.cache, jobs=1)
            mark, kind, digest, files = _mark(place), stored.kind, stored.digest, stored.files
        else:
            from mlops_cli.store.sources.download import download

            got = download(place, self.cache)
            mark, kind, digest, files = [got.version.etag], got.kind, got.digest, got.files
        return Taken(str(digest) if kind == "tree" and files else None, mark)

    def _place(self, uri: str) -> Path | str | None:
        """Return the folder that `uri` means here, a URL to fetch, or None where neither is.

        Raises StateRefused ("outside-artifacts", "remote-artifacts") with what would let it in.
        """
        parts = urlsplit(uri)
        if parts.scheme not in (*_LOCAL, _PROXIED):
            return self._remote(uri, parts.scheme)
        path = unquote(parts.path) if parts.scheme else uri
        if parts.scheme == _PROXIED:
            return self._below(path.lstrip("/"), ("", "mlartifacts"))
        if found := self._inside(Path(path)):
            return found
        # a store that was moved: its folders are where they were, seen from the store
        for last in (-4, -3):
            inner = "/".join(Path(path).parts[last:])
            if moved := self._below(inner, ("", "mlruns", "mlartifacts")):
                return moved
        if Path(path).is_dir():
            raise StateRefused(
                f"its artifacts are at {path}, outside of the store",
                code="outside-artifacts",
                hint=f"--artifacts {path} lets them in",
            )
        return None

    def _remote(self, uri: str, scheme: str) -> str:
        if scheme not in _REMOTE:
            raise StateRefused(
                f"its artifacts are at {uri}, where mlops reads none",
                code="remote-artifacts",
                hint="copy them into a folder and name it with --artifacts",
            )
        if not self.remote:
            raise StateRefused(
                f"its artifacts are at {uri}",
                code="remote-artifacts",
                hint="--remote-artifacts fetches them",
            )
        return uri.rstrip("/")

    def _inside(self, path: Path) -> Path | None:
        for root in self.roots:
            base = os.path.realpath(root)
            real = os.path.realpath(path if path.is_absolute() else root / path)
            if real.startswith(base.rstrip("/") + "/") and Path(real).is_dir():
                return Path(real)
        return None

    def _below(self, path: str, folders: Iterable[str]) -> Path | None:
        if ".." in path.split("/") or not path:
            return None
        for root in self.roots:
            for folder in folders:
                if found := self._inside(root / folder / path):
                    return found
        return None


def _mark(place: Path | str) -> Mark:
    if isinstance(place, str):
        from mlops_cli.store.sources.download import look

        return [look(place).etag]
    files = size = 0
    for folder, _, names in os.walk(place):
        for name in names:
            files += 1
            size += os.lstat(os.path.join(folder, name)).st_size
    return [files, size]


def _kept(former: Record | None) -> Taken | None:
    """Return what the record of an earlier import has."""
    if former is None or not isinstance(former["mlflow"], dict):
        return None
    mark = former["mlflow"].get("source", {}).get("artifacts")
    return Taken(former["artifacts"], mark) if mark is not None else None
