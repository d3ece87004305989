"""The project behind a URI of MLflow: mlops: is the one around this folder, mlops:/path another.

Opened once in a process; what waits in journals becomes records when the process ends.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, INVALID_STATE

from mlops_cli import config
from mlops_cli.config import Settings
from mlops_cli.errors import MlopsError
from mlops_cli.integrations.mlflow.book import Book
from mlops_cli.integrations.mlflow.settling import settle
from mlops_cli.ledger.append import open_ledger
from mlops_cli.project import open_project

SCHEME = "mlops"
EVERY = 2.0  # seconds between two commits of a process that ends run after run

_LOCK = threading.RLock()
_OPEN: dict[Path, Opened] = {}


class Opened:
    """A book, when it was last settled, and whether the process is at its end."""

    def __init__(self, root: Path, book: Book, settings: Settings) -> None:
        self.root, self.book, self.settings = root, book, settings
        self.lock = threading.RLock()
        self.last, self.closing = 0.0, False
        settle(book)  # what processes that are gone have left
        atexit.register(self.close)

    def rest(self) -> None:
        """Make records now, if that was not done just before; else when the process ends."""
        if self.closing or time.monotonic() - self.last > EVERY:
            with self.lock:
                settle(self.book)
                self.last = time.monotonic()

    def close(self) -> None:
        """Make records of all that is not under way, now and from here on at once."""
        self.closing = True
        self.rest()


def opened(uri: str) -> Opened:
    """Return the project that `uri` means. Raises MlflowException where there is none."""
    parts = urlsplit(uri)
    path = unquote((f"//{parts.netloc}" if parts.netloc else "") + parts.path)
    if parts.netloc:
        raise MlflowException(
            f"{uri} names a host; write mlops:/path/to/repository, or mlops: for the one here",
            error_code=INVALID_PARAMETER_VALUE,
        )
    start = Path(path or ".").absolute()
    with _LOCK:
        try:
            root = config.find_root(start) or start
            if root not in _OPEN:
                settings = config.load(root, environment=os.environ, home=Path.home())
                project = open_project(root, settings)
                book = Book(project.git, project.cache, open_ledger(project.git))
                _OPEN[root] = Opened(project.root, book, settings)
            return _OPEN[root]
        except MlopsError as exc:
            raise translated(exc) from exc


def artifacts_uri(root: Path, kind: str, id_: str) -> str:
    """Return where MLflow finds the artifacts of a run or a logged model: in our cache."""
    return f"{SCHEME}:{root}/.mlops/mlflow/{kind}/{id_}/artifacts"


def translated(exc: MlopsError) -> MlflowException:
    """Return our error as MLflow's."""
    hint = f" (hint: {exc.hint})" if exc.hint else ""
    return MlflowException(f"{exc.message} [{exc.code}]{hint}", error_code=INVALID_STATE)
