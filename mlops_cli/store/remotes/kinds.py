"""Which room serves which URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.store.remotes.errors import explain
from mlops_cli.store.remotes.patience import PATIENT, Patience
from mlops_cli.store.remotes.remote import Backend, Remote, Requests
from mlops_cli.store.remotes.url import absolute_url, refuse_credentials, refuse_secrets


def open_remote(url: str, options: Mapping[str, Any] | None = None, *, root: Path) -> Remote:
    """Return the remote at `url` without asking it anything yet.

    A path relative to `root` (the project) is a folder. `options` are the settings below
    `remotes.NAME`; anything under `fsspec` goes to a file system of fsspec as it stands. Secrets
    are taken from the environment or a profile. Raises ConfigError, MissingExtra.
    """
    refuse_credentials(url)
    settings = dict(options or {})
    refuse_secrets(settings)
    url = absolute_url(url, root)
    protocol = url.partition("://")[0]
    requests = Requests()
    folder = None
    try:
        backend: Backend
        match protocol:
            case "file" | "local":
                from mlops_cli.store.remotes.folder import Folder

                folder = Path(url.partition("://")[2])
                backend = Folder(folder, requests, int(settings.get("jobs", 2)))
            case "s3" | "s3a":
                from mlops_cli.store.remotes.s3 import open_s3

                backend = open_s3(url, settings, requests)
            case "http" | "https":
                from mlops_cli.store.remotes.http import open_http

                backend = open_http(url, settings, requests)
            case "ssh" | "sftp":
                from mlops_cli.store.remotes.sftp import open_sftp

                backend = open_sftp(url, settings, requests)
            case _:
                from mlops_cli.store.remotes.outside import open_fsspec

                backend = open_fsspec(url, settings, requests)
    except MlopsError:
        raise
    except Exception as exc:
        raise explain(exc, url=url, doing="open") from exc
    patience = Patience(attempts=int(settings.get("attempts", PATIENT.attempts)))
    return Remote(
        url,
        backend,
        requests,
        folder,
        listing=bool(settings.get("listing", True)),
        compress=settings.get("compress") == "zstd",
        patience=patience,
    )
