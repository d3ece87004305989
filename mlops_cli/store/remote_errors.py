"""What a storage backend says when it fails, in words a person can act on."""

from __future__ import annotations

import errno
from typing import Any

from mlops_cli.errors import ConfigError, MissingExtra, MlopsError, OutsideWorld

# what an S3 service answers, by what it means for the person
_S3 = {
    "ExpiredToken": "credentials-expired",
    "ExpiredTokenException": "credentials-expired",
    "TokenRefreshRequired": "credentials-expired",
    "RequestExpired": "credentials-expired",
    "UnauthorizedSSOTokenError": "credentials-expired",
    "SSOTokenLoadError": "credentials-expired",
    "CredentialRetrievalError": "credentials-expired",
    "InvalidAccessKeyId": "credentials-wrong",
    "SignatureDoesNotMatch": "credentials-wrong",
    "InvalidToken": "credentials-wrong",
    "InvalidClientTokenId": "credentials-wrong",
    "NoCredentialsError": "credentials-missing",
    "PartialCredentialsError": "credentials-missing",
    "ProfileNotFound": "profile-unknown",
    "NoSuchBucket": "bucket-missing",
    "InvalidBucketName": "bucket-missing",
    "AuthorizationHeaderMalformed": "wrong-region",
    "IllegalLocationConstraintException": "wrong-region",
    "PermanentRedirect": "wrong-region",
    "301": "wrong-region",
    "RequestTimeTooSkewed": "clock-skew",
    "RequestInTheFuture": "clock-skew",
    "InvalidObjectState": "remote-archived",
    "NoRegionError": "wrong-region",
}
_WORDS = {
    "credentials-expired": (
        "the credentials for {url} have expired",
        "sign in again (for example `aws sso login`), then run the same command",
    ),
    "credentials-wrong": (
        "the remote {url} does not know these credentials",
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile: mlops remote list",
    ),
    "credentials-missing": (
        "there are no credentials for {url}",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name a profile: "
        "mlops remote add --profile; a public bucket wants --anonymous",
    ),
    "profile-unknown": (
        "the profile that {url} is reached with does not exist",
        "aws configure list-profiles",
    ),
    "bucket-missing": (
        "the bucket of the remote {url} does not exist",
        "create the bucket, or correct the URL or the endpoint: mlops remote list",
    ),
    "wrong-region": (
        "the bucket of the remote {url} is in another region",
        "mlops config set remotes.NAME.region REGION",
    ),
    "clock-skew": (
        "the clock of this machine is too far from that of the remote {url}",
        "set the clock (for example `timedatectl set-ntp true`), then run the same command",
    ),
    "remote-archived": (
        "an object at {url} is in cold storage and must be restored first",
        "restore it with the tools of the store, then run the same command",
    ),
    "remote-busy": (
        "the remote {url} is too busy to answer, and stayed so",
        "run the same command again later; it goes on where it ended. "
        "Fewer at once: mlops config set remotes.NAME.jobs 2",
    ),
    "disk-full": (
        "the disk of the remote {url} is full",
        "free some space there and run the same command again; it goes on where it ended",
    ),
    "remote-read-only": (
        "the remote {url} may only be read",
        "push to another remote (mlops remote list), or ask for the right to write there",
    ),
    "remote-denied": (
        "the remote {url} refuses: may not {doing} there",
        "check the credentials and the rights they carry, or the permissions of the folder",
    ),
    "host-unknown": (
        "the key of the host of {url} is not known, or is another than before",
        "compare it, then add it: ssh-keyscan -H HOST >> ~/.ssh/known_hosts",
    ),
    "remote-unavailable": (
        "the remote {url} does not answer as it should: {said}",
        "check the network and the URL (mlops remote list), then run the same command again; "
        "it goes on where it ended",
    ),
}
EXTRAS = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "az": ("adlfs", "azure"),
    "abfs": ("adlfs", "azure"),
    "abfss": ("adlfs", "azure"),
    "ssh": ("paramiko", "ssh"),
    "sftp": ("paramiko", "ssh"),
}
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

    OutsideWorld with a code of the table above, MissingExtra, ConfigError
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
    message, hint = _WORDS[code]
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
    if word in _S3:
        return _S3[word]
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
