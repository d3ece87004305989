"""A remote in S3, or in any of the many services that speak it; the door to s3fs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.store.remotes import s3_client
from mlops_cli.store.remotes.errors import answer_code, is_missing
from mlops_cli.store.remotes.pieces import Pieces
from mlops_cli.store.remotes.remote import PART, Parts, Requests

AT_ONCE = 8  # a connection to S3 gives 50 to 100 MB/s, and most of a small request is waiting
AHEAD = 1 << 20  # bytes of an answer that may wait to be taken
SLOWEST = 64 << 10  # bytes a second below which a request counts as stuck
# these name what is read at each push and pull: never in a class that must be thawed
ALWAYS_AT_HAND = ("format.json", "index/", "recipes/", "listing")


@dataclass(slots=True)
class S3:
    """Objects below `prefix` in `bucket`. Requests are counted where they leave the process."""

    filesystem: Any
    bucket: str
    prefix: str
    requests: Requests
    lanes: int = AT_ONCE
    timeout: int = 60
    storage_class: str | None = None
    conditional: bool = True  # until the service says that it cannot
    writable: bool = field(default=True, init=False)

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all objects below `folder`: a request for each thousand."""
        below = self._key(folder + "/" if folder else "")
        found: dict[str, int] = {}
        more: dict[str, Any] = {}
        while True:
            page = self._call("list_objects_v2", Bucket=self.bucket, Prefix=below, **more)
            for one in page.get("Contents", ()):
                found[one["Key"][len(below) :]] = int(one["Size"])
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return a part of an object with one request, which says why where it is refused."""
        if end <= start:
            return b""
        try:
            data: bytes = self._wait(self._get(self._key(name), start, end), end - start)
        except Exception as exc:
            if is_missing(exc):
                return None
            if answer_code(exc) == "InvalidRange":  # it is shorter than `start`
                return b""
            raise
        return data

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Put an object; it appears all at once. Without `replace`, only where none is."""
        only_new = self.conditional and not replace
        try:
            self._put(name, parts, {"IfNoneMatch": "*"} if only_new else {})
        except Exception as exc:
            code = answer_code(exc)
            if only_new and code in ("PreconditionFailed", "412"):
                if self._size(name) != len(Pieces(parts)):
                    self._put(name, parts, {})
            elif only_new and code in ("NotImplemented", "501"):
                self.conditional = False
                self._put(name, parts, {})
            else:
                raise

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer an object to stream to, in parts; an error in the block leaves nothing behind."""
        if size <= PART:
            body = io.BytesIO()
            yield body
            self._put(name, [body.getvalue()], {})
            return
        part = max(PART, -(-size // 9000))  # S3 takes at most 10,000 parts
        place = f"{self.bucket}/{self._key(name)}"
        target = self.filesystem.open(place, "wb", block_size=part, autocommit=False)
        try:
            yield target
            target.close()
        except BaseException:
            target.closed = True
            with contextlib.suppress(Exception):
                target.discard()
            raise
        target.commit()

    def _put(self, name: str, parts: Parts, more: dict[str, str]) -> None:
        if self.storage_class and not name.startswith(ALWAYS_AT_HAND):
            more = {**more, "StorageClass": self.storage_class}
        target = {"Bucket": self.bucket, "Key": self._key(name)}
        # of bytes, the line would take a copy at once; of a file, piece by piece
        body = Pieces(parts)
        self._call("put_object", **target, Body=body, **more, size=len(body))

    def _size(self, name: str) -> int:
        return int(
            self._call("head_object", Bucket=self.bucket, Key=self._key(name))["ContentLength"]
        )

    async def _get(self, key: str, start: int, end: int) -> bytes:
        # s3fs would ask again by itself, unseen and without a bound
        answer = await self.filesystem._call_s3(
            "get_object", Bucket=self.bucket, Key=key, Range=f"bytes={start}-{end - 1}"
        )
        # asked for all, aiohttp would stop the line at each piece, and in the end hold it twice
        data = io.BytesIO(bytes(min(end - start, answer.get("ContentLength", 0))))
        try:
            while piece := await answer["Body"].read(AHEAD):
                data.write(piece)
        finally:
            answer["Body"].close()
        data.truncate()
        return data.getvalue()

    def _call(self, method: str, *, size: int = 0, **words: Any) -> Any:
        return self._wait(self.filesystem._call_s3(method, **words), size)

    def _wait(self, answer: Any, size: int) -> Any:
        from fsspec.asyn import sync

        return sync(self.filesystem.loop, _within, answer, self.timeout + size / SLOWEST)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


async def _within(answer: Any, seconds: float) -> Any:
    import asyncio

    # a line on which a byte comes now and then never runs into the limit for a silent one
    return await asyncio.wait_for(answer, seconds)


def open_s3(url: str, options: Mapping[str, Any], requests: Requests) -> S3:
    """Return the backend for `url`; nothing is asked yet."""
    bucket, _, prefix = url.partition("://")[2].partition("/")
    timeout, lanes = int(options.get("timeout", 60)), int(options.get("jobs", AT_ONCE))
    return S3(
        s3_client.connect(options, requests, timeout=timeout, lanes=lanes),
        bucket,
        prefix.strip("/"),
        requests,
        lanes=lanes,
        timeout=timeout,
        storage_class=options.get("storage_class"),
    )
