"""Programs of others that the suite asks, each in an environment of its own, made once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shared import once

# what pip was told of a mirror and of its certificate, uv is told, too
TOLD = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}


def peer(request: pytest.FixtureRequest, command: str, *wanted: str, given: str) -> Path:
    """Return the path of `command` in an environment that has the packages `wanted`.

    Where the variable `given` names such a command, it is that one.
    """
    if path := os.environ.get(given):
        return Path(path)
    key = hashlib.sha256(repr((wanted, sys.version)).encode()).hexdigest()[:8]
    folder = Path(request.config.cache.mkdir("peers")) / f"{command}-{key}"

    def install(folder: Path) -> None:
        uv = (sys.executable, "-m", "uv", "--quiet")
        told = {ours: os.environ[theirs] for ours, theirs in TOLD.items() if theirs in os.environ}
        for words in (
            ("venv", "--python", sys.executable, folder),
            ("pip", "install", "--python", folder, *wanted),
        ):
            subprocess.run([*uv, *words], env={**os.environ, **told}, check=True)

    return once(folder, install) / "bin" / command
