"""What a storage backend says when it fails, in words a person can act on."""

from __future__ import annotations

import errno
from typing import Any

from mlops_cli.errors import ConfigError, MissingExtra, MlopsError, OutsideWorld
from mlops_cli.store.remotes.remote_words import EXTRAS, S3, WORDS

_BUSY = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "ServiceUnavailable",
}
_AGAIN = {
    "InternalError",
    "RequestTimeout",
    "OperationAborted",
    "ConditionalRequestConflict",
    "XAmzContentSHA256Mismatch",  # a bit flipped on the way there
    "BadDigest",
    "IncompleteBody",
    "ConnectionClosedError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "IncompleteReadError",
    "HTTPClientError",
    "ClientPayloadError",
    "ClientOSError",
    "ServerDisconnectedError",
    "IncompleteRead",
    "RemoteDisconnected",
    "FSTimeoutError",
    "SSHException",
}
_STATUS = (408, 425, 429, 500, 502, 503, 504)
_CUT = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT)
_NOWHERE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_NOBODY = {
    "EndpointConnectionError",
    "ConnectionRefusedError",
    "gaierror",
    "NoValidConnectionsError",
}
MANY = 99


def is_missing(exc: Exception) -> bool:
    """Tell whether `exc` only says that one file is not there (and its bucket is)."""
    return isinstance(exc, FileNotFoundError) and answer_code(exc) != "NoSuchBucket"


def worth(exc: Exception) -> int:
    """Return how many attempts a request deserves that ended with `exc`: one, a few, or many."""
    word = answer_code(exc)
    if isinstance(exc, MlopsError):
        return 1
    if word in _NOBODY or (isinstance(exc, OSError) and exc.errno in _NOWHERE):
        return 3  # it may just have been started again; more often the address is wrong
    passing = (
        word in _BUSY
        or word in _AGAIN
        or _status(exc) in _STATUS
        or isinstance(exc, ConnectionError | TimeoutError | EOFError)
        or (isinstance(exc, OSError) and exc.errno in _CUT)
    )
    return MANY if passing else 1


def explain(exc: Exception, *, url: str, doing: str) -> MlopsError:
    """Return the error for `exc`, which came up when this process wanted to `doing` at `url`.

    OutsideWorld with a code of `remote_words`, MissingExtra, ConfigError
    ("remote-kind-unknown").
    """
    protocol = url.partition("://")[0]
    if isinstance(exc, ImportError):
        if protocol in EXTRAS:
            return MissingExtra.of(*EXTRAS[protocol])
        return ConfigError(
            f"{protocol}:// needs a package that is not installed: {exc}",
            code="remote-kind-unknown",
            hint="install it beside mlops-cli",
            details={"url": url},
        )
    if isinstance(exc, ValueError) and "rotocol not known" in str(exc):
        return ConfigError(
            f"there is no kind of remote for {url}",
            code="remote-kind-unknown",
            hint="use a folder, file://, s3://, ssh://, https://, gs:// or az://, or install the "
            "fsspec package for it",
            details={"url": url},
        )
    code = _code(exc, doing)
    said = f"{type(exc).__name__}: {exc}"[:500]
    message, hint = WORDS[code]
    return OutsideWorld(
        message.format(url=url, doing=doing, said=_last_line(exc)),
        code=code,
        hint=hint,
        details={"url": url, "doing": doing, "said": said},
    )


def answer_code(exc: BaseException) -> str:
    """Return the error code of an S3 answer if there is one, else the name of the exception."""
    response = _response(exc)
    if response is not None:
        return str(response.get("Error", {}).get("Code", ""))
    return type(exc).__name__


def _code(exc: Exception, doing: str) -> str:
    word, status = answer_code(exc), _status(exc)
    if word in S3:
        return S3[word]
    if "expired" in str(exc).lower():
        return "credentials-expired"
    if word in ("BadHostKeyException", "UnknownHostKey"):
        return "host-unknown"
    if word == "AuthenticationException":
        return "credentials-wrong"
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk-full"
    if isinstance(exc, OSError) and exc.errno == errno.EROFS:
        return "remote-read-only"
    if isinstance(exc, PermissionError) or status in (401, 403, 405):
        return "remote-read-only" if doing == "write" else "remote-denied"
    if word in _BUSY or status in (429, 503):
        return "remote-busy"
    return "remote-unavailable"


def _response(exc: BaseException) -> dict[str, Any] | None:
    for link in (exc, exc.__cause__, exc.__context__):
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            return response
    return None


def _status(exc: BaseException) -> int:
    """Return the status of the HTTP answer, 0 where there was none."""
    response = _response(exc)
    if response is not None:
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    for name in ("status", "code"):  # of aiohttp, of urllib
        if isinstance(status := getattr(exc, name, None), int):
            return status
    return 0


def _last_line(exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError) and exc.filename:
        return f"there is no {exc.filename}"
    lines = str(exc).strip().splitlines()
    return (lines[-1] if lines else type(exc).__name__)[:200]
