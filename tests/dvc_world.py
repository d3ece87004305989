"""Repositories made by DVC, and DVC itself where a test asks the real one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from peers import peer

ARCHIVES = Path(__file__).parent / "formats/dvc"
DVC = "dvc==3.67.*"


@dataclass(frozen=True)
class DvcWorld:
    """A repository of DVC as it is after `git clone`, with its cache and its remote beside it.

    `manifest` says the SHA-256 of every file that DVC tracks.
    """

    root: Path
    remote: Path
    manifest: Mapping[str, str]

    def wrong(self) -> list[str]:
        """Return the files that are not, byte by byte, what DVC kept."""
        return [
            name for name, digest in self.manifest.items() if sha256(self.root / name) != digest
        ]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def unpack(version: str, folder: Path, environment: Mapping[str, str]) -> DvcWorld:
    """Return the repository that DVC `version` (v2, v3) made, with one commit in git."""
    with tarfile.open(ARCHIVES / f"{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    root = folder / "repo"
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Ada Lovelace"),
        ("config", "user.email", "ada@example.org"),
        ("add", "-A"),
        ("commit", "-q", "-m", "as DVC has it"),
    ):
        subprocess.run(["git", *words], cwd=root, env=dict(environment), check=True)
    return DvcWorld(root, folder / "remote", json.loads((folder / "manifest.json").read_text()))


@pytest.fixture(params=["v2", "v3"])
def dvc_world(
    request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str]
) -> DvcWorld:
    """Both of them, one after the other."""
    return unpack(request.param, tmp_path, environment)


@pytest.fixture
def dvc3(tmp_path: Path, environment: dict[str, str]) -> DvcWorld:
    return unpack("v3", tmp_path, environment)


@pytest.fixture
def dvc2(tmp_path: Path, environment: dict[str, str]) -> DvcWorld:
    return unpack("v2", tmp_path, environment)


@pytest.fixture(scope="session")
def real_dvc(request: pytest.FixtureRequest) -> Path:
    """The command `dvc`: MLOPS_TEST_DVC, or one in an environment of its own, made once."""
    return peer(request, "dvc", DVC, given="MLOPS_TEST_DVC")
