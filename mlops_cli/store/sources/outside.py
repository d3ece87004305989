"""A file or a folder behind any URL that fsspec speaks: s3://, gs://, sftp://, file://."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlops_cli.errors import MlopsError, NotFound, OutsideWorld
from mlops_cli.store.remotes.errors import explain, is_missing
from mlops_cli.store.sources.source import Broken, Stream, Version

BLOCK = 8 << 20  # bytes of one request


@dataclass(frozen=True, slots=True)
class Outside:
    """One path of a file system."""

    url: str
    filesystem: Any
    path: str
    pinned: Version | None = None  # what is wanted, where the place keeps old versions

    def is_folder(self) -> bool:
        """Tell whether other files lie below it, and none is it."""
        if self.pinned is not None:
            return False
        return bool(self._info().get("type") == "directory")

    def files(self) -> dict[str, tuple[Outside, Version]]:
        """Return what lies below the folder, by path inside it."""
        try:
            found = self.filesystem.find(self.path, detail=True)
        except Exception as exc:
            raise self._explain(exc) from exc
        cut = len(self.path.rstrip("/")) + 1
        return {
            name[cut:]: (Outside(f"{self.url}/{name[cut:]}", self.filesystem, name), _version(info))
            for name, info in sorted(found.items())
            if name[cut:]
        }

    def look(self) -> Version:
        """Return what is there now, or what is pinned."""
        return self.pinned or _version(self._info())

    def stream(self, start: int, noted: Version | None) -> Stream:
        """Return the bytes in ranges, all of one version; `Broken` when it changes under way."""
        version = self.look()
        begun = start if noted is not None and noted.same(version) else 0
        return Stream(version, begun, self._blocks(begun, version))

    def _blocks(self, start: int, version: Version) -> Iterator[bytes]:
        pinned = {"version_id": version.version} if version.version else {}
        at, size = start, version.size
        while size is None or at < size:
            end = at + BLOCK if size is None else min(at + BLOCK, size)
            try:
                block = self.filesystem.cat_file(self.path, start=at, end=end, **pinned)
            except Exception as exc:
                raise self._explain(exc) from exc
            if not block:
                break
            at += len(block)
            yield block
        if not pinned and self.look().same(version) is False:
            raise Broken(
                OutsideWorld(
                    f"{self.url} changed while it was read",
                    code="source-changed",
                    hint="run the same command again when nothing writes there",
                    details={"url": self.url},
                )
            )

    def _info(self) -> dict[str, Any]:
        try:
            return dict(self.filesystem.info(self.path))
        except Exception as exc:
            raise self._explain(exc) from exc

    def _explain(self, exc: Exception) -> MlopsError | Broken:
        if is_missing(exc):
            return NotFound(
                f"there is nothing at {self.url}",
                code="missing-source",
                hint="correct the URL, or ask where the data went",
                details={"url": self.url},
            )
        error = explain(exc, url=self.url, doing="read")
        again = isinstance(error, OutsideWorld) and error.code == "remote-unavailable"
        return Broken(error) if again and isinstance(error, OutsideWorld) else error


def open_outside(url: str, options: Mapping[str, Any], pinned: Version | None = None) -> Outside:
    """Return the source at `url`. Options: endpoint, region, profile, anonymous (S3).

    A version in `pinned` is asked for by its name, so that it comes even if it is not the newest.
    Raises ConfigError ("remote-kind-unknown"), MissingExtra.
    """
    protocol = url.partition("://")[0]
    import fsspec

    try:
        keywords = _s3(options) if protocol in ("s3", "s3a") else {}
        filesystem = fsspec.filesystem(protocol, **keywords)
    except Exception as exc:
        raise explain(exc, url=url, doing="open") from exc
    wanted = pinned if pinned is not None and pinned.version else None
    return Outside(url, filesystem, str(filesystem._strip_protocol(url)), wanted)


def _s3(options: Mapping[str, Any]) -> dict[str, Any]:
    region = options.get("region")
    return {
        "anon": bool(options.get("anonymous", False)),
        "profile": options.get("profile"),
        "endpoint_url": options.get("endpoint"),
        "client_kwargs": {"region_name": region} if region else {},
        "config_kwargs": {"retries": {"max_attempts": 3, "mode": "standard"}},
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def _version(info: Mapping[str, Any]) -> Version:
    named = info.get("VersionId") or info.get("version_id") or info.get("generation")
    etag = info.get("ETag") or info.get("etag")
    size = info.get("size")
    return Version(
        etag=str(etag) if etag else None,
        version=str(named) if named and named != "null" else None,
        modified=_moment(
            next((info[key] for key in ("LastModified", "updated", "mtime") if info.get(key)), None)
        ),
        size=int(size) if size is not None else None,
    )


def _moment(value: Any) -> str | None:
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value, UTC)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if value else None
