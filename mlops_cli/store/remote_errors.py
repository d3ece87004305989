"""What a storage backend says when it fails, in words a person can act on."""

from __future__ import annotations

import errno

from mlops_cli.errors import ConfigError, MissingExtra, MlopsError, OutsideWorld

_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "RequestExpired",
    "UnauthorizedSSOTokenError",
    "SSOTokenLoadError",
    "CredentialRetrievalError",
}
_UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"}
_ABSENT_PLACE = {"NoSuchBucket", "404"}


def is_missing(exc: Exception) -> bool:
    """Tell whether `exc` only says that one file is not there (and its bucket is)."""
    return isinstance(exc, FileNotFoundError) and _word(exc) != "NoSuchBucket"


def explain(exc: Exception, *, url: str, doing: str) -> MlopsError:
    """Return the error for `exc`, which came up when this process wanted to `doing` at `url`.

    Codes: "remote-unavailable", "remote-denied", "credentials-expired", "disk-full".
    """
    word = _word(exc)
    details = {"url": url, "doing": doing, "said": f"{type(exc).__name__}: {exc}"[:500]}
    if isinstance(exc, ImportError):
        protocol = url.partition("://")[0]
        return MissingExtra.of({"s3": "s3fs", "s3a": "s3fs"}.get(protocol, str(exc)), "s3")
    if isinstance(exc, ValueError) and "rotocol not known" in str(exc):
        return ConfigError(
            f"there is no kind of remote for {url}",
            code="remote-kind-unknown",
            hint="use a folder, file:// or s3://, or install the fsspec package for it",
            details=details,
        )
    if word in _EXPIRED or "expired" in str(exc).lower():
        return OutsideWorld(
            f"the credentials for {url} have expired",
            code="credentials-expired",
            hint="sign in again (for example `aws sso login`), then run the same command",
            details=details,
        )
    if word in ("NoCredentialsError", "PartialCredentialsError"):
        return OutsideWorld(
            f"there are no credentials for {url}",
            code="remote-denied",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name a "
            "profile: mlops remote add --profile",
            details=details,
        )
    if word == "ProfileNotFound":
        return OutsideWorld(
            f"{exc} (for {url})"[0].lower() + f"{exc} (for {url})"[1:],
            code="remote-denied",
            hint="aws configure list-profiles",
            details=details,
        )
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutsideWorld(
            f"the disk of the remote {url} is full",
            code="disk-full",
            hint="free some space there and run the same command again; it goes on where it ended",
            details=details,
        )
    if isinstance(exc, PermissionError) or getattr(exc, "errno", None) == errno.EROFS:
        why = "it does not know these credentials" if word in _UNKNOWN else f"may not {doing} there"
        return OutsideWorld(
            f"the remote {url} refuses: {why}",
            code="remote-denied",
            hint="check the credentials and the rights they carry"
            if "://" in url and not url.startswith("file://")
            else "check the permissions of the folder",
            details=details,
        )
    if word in _ABSENT_PLACE or isinstance(exc, FileNotFoundError):
        return OutsideWorld(
            f"the place of the remote {url} does not exist",
            code="remote-unavailable",
            hint="create the bucket or folder, or correct the URL: mlops remote list",
            details=details,
        )
    return OutsideWorld(
        f"the remote {url} does not answer as it should: {_last_line(exc)}",
        code="remote-unavailable",
        hint="check the network and the URL (mlops remote list), then run the same command again; "
        "it goes on where it ended",
        details=details,
    )


def _word(exc: BaseException) -> str:
    """Return the error code of an S3 answer if there is one, else the name of the exception."""
    for link in (exc, exc.__cause__, exc.__context__):
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return type(exc).__name__


def _last_line(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    return (lines[-1] if lines else type(exc).__name__)[:200]
