"""A remote behind a web server: it can be read, never written.

Whether the server answers for parts of a file, lists a folder or neither makes no difference:
what it sends too much is passed over, and where it lists nothing there is the file `listing`
that a push leaves.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import OutsideWorld
from mlops_cli.store.remotes.errors import explain
from mlops_cli.store.remotes.layout import LISTING, parse_listing
from mlops_cli.store.remotes.remote import Parts, Requests

LISTING_AT_MOST = 64 << 20
UNKNOWN = 64 << 20  # what a page of links does not tell: more than an index file is long
_LINK = re.compile(rb"""<a\s[^>]*?href\s*=\s*["']([^"'?#]+)["']""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Web:
    """Files below `base`, an address without a slash at its end."""

    base: str
    requests: Requests
    headers: Mapping[str, str]
    lanes: int = 4
    timeout: int = 60
    writable: bool = False

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of the files in `folder`, as its page and the listing tell."""
        self.requests.add("lists")
        try:
            with self._get(f"{folder}/") as page:
                links = _LINK.findall(page.read(LISTING_AT_MOST))
        except urllib.error.HTTPError as exc:
            if exc.code not in (403, 404, 405):
                raise
            links = []
        names = [urllib.parse.unquote(link.decode("utf-8", "replace")) for link in links]
        shown = {name: UNKNOWN for name in names if name and "/" not in name}
        listing = self.read(LISTING, 0, LISTING_AT_MOST)
        if listing is None and not shown:
            raise OutsideWorld(
                f"{self.base} neither lists its folders nor has a file {LISTING}",
                code="remote-unavailable",
                hint=f"mlops push to the place behind it writes {LISTING}; or let the server list "
                f"{folder}/",
                details={"url": self.base},
            )
        return shown | parse_listing(listing or b"", folder)

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return a part of a file."""
        if end <= start:
            return b""
        self.requests.add("reads")
        try:
            with self._get(name, Range=f"bytes={start}-{end - 1}") as answer:
                if answer.status != 206:  # it knows no parts: all of the file comes
                    _pass_over(answer, start)
                return _exactly(answer, end - start)
        except urllib.error.HTTPError as exc:
            if exc.code == 416:  # it is shorter than `start`
                return b""
            if exc.code in (404, 410):
                return None
            raise

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Refuse."""
        raise explain(PermissionError(), url=self.base, doing="write")

    def writing(self, name: str, size: int) -> contextlib.AbstractContextManager[Any]:
        """Refuse."""
        raise explain(PermissionError(), url=self.base, doing="write")

    def _get(self, name: str, **headers: str) -> Any:
        place = f"{self.base}/{urllib.parse.quote(name)}"
        request = urllib.request.Request(place, headers={**self.headers, **headers})
        return urllib.request.urlopen(request, timeout=self.timeout)


def _exactly(answer: Any, size: int) -> bytes:
    """Return up to `size` bytes; a body that ends before its announced end is an error."""
    data: bytes = answer.read(size)
    if len(data) < size and answer.length:  # read(n) does not raise by itself
        raise http.client.IncompleteRead(data, answer.length)
    return data


def _pass_over(answer: Any, size: int) -> None:
    while size and (part := answer.read(min(size, 1 << 20))):
        size -= len(part)


def open_http(url: str, options: Mapping[str, Any], requests: Requests) -> Web:
    """Return the backend for `url`; ~/.netrc has the name and password where the server asks."""
    return Web(
        url,
        requests,
        _sign_in(urllib.parse.urlsplit(url).hostname or ""),
        lanes=int(options.get("jobs", 4)),
        timeout=int(options.get("timeout", 60)),
    )


def _sign_in(host: str) -> dict[str, str]:
    import base64
    import netrc

    try:
        known = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return {}
    if known is None:
        return {}
    word = base64.b64encode(f"{known[0]}:{known[2]}".encode()).decode()
    return {"Authorization": f"Basic {word}"}
