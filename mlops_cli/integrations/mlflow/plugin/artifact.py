"""Artifacts of MLflow in our cache: hashed when they are logged, verified when they are read."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.mlflow.book import put_file
from mlops_cli.integrations.mlflow.entity import File, Kind, kind_of
from mlops_cli.integrations.mlflow.plugin.opened import opened, translated
from mlops_cli.integrations.mlflow.plugin.registering import bundle_files
from mlops_cli.store.digest import Digest

_MARK = "/.mlops/mlflow/"


class MlopsArtifacts(ArtifactRepository):
    """What a run or a logged model has logged, and a folder of it where the URI goes on."""

    def __init__(self, artifact_uri: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(artifact_uri, *args, **kwargs)
        root, mark, rest = urlsplit(artifact_uri).path.partition(_MARK)
        kind, _, rest = rest.partition("/")
        self._id, _, rest = rest.partition("/")
        if not mark or kind not in ("run", "logged-model", "version"):
            raise MlflowException(
                f"{artifact_uri} names no artifacts of a run or a logged model",
                error_code=INVALID_PARAMETER_VALUE,
            )
        self._kind: Kind = kind_of(kind)
        self._below = unquote(rest.removeprefix("artifacts")).strip("/")
        self._opened = opened(f"mlops:{root}")

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Store one file."""
        path = Path(local_file)
        self._log({self._at(artifact_path, path.name): path})

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store all files below a folder."""
        base = Path(local_dir)
        found = {}
        for folder, _, names in os.walk(base):
            for name in names:
                path = Path(folder, name)
                found[self._at(artifact_path, path.relative_to(base).as_posix())] = path
        self._log(found)

    def _log(self, found: dict[str, Path]) -> None:
        if not found or self._kind == "version":
            return  # what was registered has its files
        book = self._opened.book
        try:
            files = {name: put_file(book, path) for name, path in found.items()}
            with self._opened.lock:
                book.change(self._kind, self._id, files=files)
        except MlopsError as exc:
            raise translated(exc) from exc

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the files and folders directly below `path`."""
        base = self._at(path)
        prefix = f"{base}/" if base else ""
        cut = len(self._below) + 1 if self._below else 0
        found: dict[str, FileInfo] = {}
        for name, file in self._files().items():
            if not name.startswith(prefix):
                continue
            first, deeper, _ = name[len(prefix) :].partition("/")
            shown = (prefix + first)[cut:]
            size = None if deeper else file.size
            found[shown] = FileInfo(shown, bool(deeper), size)
        return [found[name] for name in sorted(found)]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        file = self._files().get(self._at(remote_file_path))
        if file is None:
            raise MlflowException(
                f"there is no artifact {remote_file_path}", error_code=RESOURCE_DOES_NOT_EXIST
            )
        target = Path(local_path)
        target.unlink(missing_ok=True)
        try:
            self._opened.book.cache.copy_to(Digest.parse(file.digest), target)
        except MlopsError as exc:
            raise translated(exc) from exc

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Refuse: what was logged stays."""
        raise MlflowException("mlops keeps what was logged: artifacts are not deleted")

    def _files(self) -> dict[str, File]:
        try:
            if self._kind == "version":
                return dict(bundle_files(self._opened, unquote(self._id)))
            return self._opened.book.files(self._kind, self._id)
        except MlopsError as exc:
            raise translated(exc) from exc

    def _at(self, *parts: str | None) -> str:
        """Return the path of an artifact, which must not leave its run."""
        found = posixpath.normpath("/".join(part for part in (self._below, *parts) if part) or ".")
        if found.startswith(("/", "../")) or found == "..":
            raise MlflowException(
                f"{found!r} is no path of an artifact", error_code=INVALID_PARAMETER_VALUE
            )
        return "" if found == "." else found
