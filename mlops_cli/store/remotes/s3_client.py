"""The client of an S3 service as the settings want it, with each of its requests counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.store.remotes.remote import Requests


def connect(options: Mapping[str, Any], requests: Requests, *, timeout: int, lanes: int) -> Any:
    """Return a file system of s3fs that tries each request once; opens no connection."""
    import s3fs

    given = dict(options.get("fsspec") or {})
    filesystem = s3fs.S3FileSystem(**{**_keywords(options, timeout, lanes), **given})
    filesystem.retries = 1  # `Patience` asks again: with jitter, and each time counted
    _count(filesystem, requests)
    return filesystem


def _keywords(options: Mapping[str, Any], timeout: int, lanes: int) -> dict[str, Any]:
    addressing = {"addressing_style": options.get("addressing", "auto")}
    config = {
        "connect_timeout": min(timeout, 10),
        "read_timeout": timeout,
        "max_pool_connections": lanes + 2,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "s3": addressing,
        # servers that only speak S3 stumble over the newer trailing checksums; what is
        # transferred is hashed on both sides anyway
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    region = options.get("region")
    return {
        "anon": bool(options.get("anonymous", False)),
        "profile": options.get("profile"),
        "endpoint_url": options.get("endpoint"),
        "client_kwargs": {"region_name": region} if region else {},
        "config_kwargs": config,
        "s3_additional_kwargs": _always(options),
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def _always(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what is said with each request that can carry it."""
    words: dict[str, str] = {}
    encryption, key = options.get("sse"), options.get("sse_key_id")
    if key and not (encryption or "aws:kms").startswith("aws:kms"):
        raise ConfigError(
            f"a key goes with aws:kms, and the remote wants {encryption}",
            code="bad-setting",
            hint="mlops config set remotes.NAME.sse aws:kms",
        )
    if encryption or key:
        words["ServerSideEncryption"] = encryption or "aws:kms"
    if key:
        words["SSEKMSKeyId"] = key
    if options.get("requester_pays"):
        words["RequestPayer"] = "requester"
    return words


def _count(filesystem: Any, requests: Requests) -> None:
    """Count what leaves: once for each attempt, wherever in the library it is made."""

    def seen(event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        reading = operation.startswith(("Get", "Head"))
        kind = "lists" if operation.startswith("List") else "reads" if reading else "writes"
        requests.add(kind)

    filesystem.connect()  # makes the client; opens no connection
    filesystem._s3.meta.events.register("before-send.s3", seen)
