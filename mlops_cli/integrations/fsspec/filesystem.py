"""`mlops://`: tracked data as a read-only file system of fsspec, at any revision of any repository.

pd.read_parquet("mlops://data/flights.parquet", storage_options={"repo": URL, "rev": "v1"})
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fsspec.spec import AbstractFileSystem

from mlops_cli.errors import NotFound
from mlops_cli.integrations.fsspec.opened import opened

if TYPE_CHECKING:
    from mlops_cli.workspace.browse import Browser, Node


class MlopsFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Folders and files of one repository at one revision.

    `repo` is a folder or a git URL, the project around the working directory when None; `rev` is
    any revision. What git keeps is there too, at a revision. Data is fetched when it is read;
    a stream read to its end is verified then, other reads only after all of the file was hashed.
    """

    protocol = "mlops"
    root_marker = ""
    cachable = False  # a work tree moves on

    def __init__(self, repo: str | None = None, rev: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.repo, self.rev = repo, rev
        self._start = Path.cwd()
        self._browser: Browser | None = None

    @property
    def browser(self) -> Browser:
        """The repository, opened when first asked for."""
        if self._browser is None:
            self._browser = opened(
                self.repo, self.rev, start=self._start, environment=os.environ, home=Path.home()
            )
        return self._browser

    @property
    def fsid(self) -> str:
        """Name what is seen, for what others remember of it."""
        foreign = self.browser.foreign
        return f"mlops:{foreign.at.address.url}@{foreign.at.commit or 'work-tree'}"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Return what is in a folder."""
        try:
            found = [_plain(node) for node in self.browser.list(self._strip_protocol(path))]
        except NotFound as exc:
            raise _absent(path, exc) from exc
        return found if detail else [row["name"] for row in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, type, size and digest."""
        try:
            return _plain(self.browser.info(self._strip_protocol(path)))
        except NotFound as exc:
            raise _absent(path, exc) from exc

    def checksum(self, path: str) -> int:
        """Return a number that is the same for the same bytes."""
        return int(str(self.info(path)["digest"] or "0").rpartition(":")[2], 16)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        if mode != "rb":
            raise OSError(errno.EROFS, "tracked data is read-only here", path)
        return self._serve(path)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Return the bytes of a file, verified, or a part of them."""
        with self._serve(path, verified=True) as stream:
            size = stream.seek(0, os.SEEK_END)
            first, last, _step = slice(start, end).indices(size)
            stream.seek(first)
            return stream.read(max(last - first, 0))

    def _serve(self, path: str, *, verified: bool = False) -> BinaryIO:
        from mlops_cli.store.served import serve

        try:
            digest = self.browser.bring(self._strip_protocol(path))
        except NotFound as exc:
            if exc.code == "not-tracked":
                raise _absent(path, exc) from exc
            raise
        return serve(self.browser.cache, digest, verified=verified)


def _plain(node: Node) -> dict[str, Any]:
    kinds = {"dir": "directory", "link": "link"}
    return {
        "name": node.path,
        "type": kinds.get(node.mode, "file"),
        "size": node.size,
        "digest": node.digest,
        "mode": 0o755 if node.mode in ("exec", "dir") else 0o644,
    }


def _absent(path: str, exc: NotFound) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, exc.message, path)
