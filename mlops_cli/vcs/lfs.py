"""git-lfs: a small text in git that stands for bytes elsewhere, named by their SHA-256 as ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.vcs import objects
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.repo import Git

VERSION = "version https://git-lfs.github.com/spec/v1"
AT_MOST = 1024  # bytes; git-lfs takes nothing longer for a pointer
_OID = re.compile(r"oid sha256:([0-9a-f]{64})")
_SIZE = re.compile(r"size (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What the text in git says: the digest of the bytes and how many they are."""

    oid: str
    size: int


def parse(data: bytes) -> LfsPointer | None:
    """Return the pointer in `data`, None where it is something else."""
    if len(data) > AT_MOST:
        return None
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return None
    oid = next((match for line in lines if (match := _OID.fullmatch(line))), None)
    size = next((match for line in lines if (match := _SIZE.fullmatch(line))), None)
    if lines[0] != VERSION or lines[-1] != "" or oid is None or size is None:
        return None
    return LfsPointer(oid[1], int(size[1]))


def pointers(git: Git, paths: list[str]) -> dict[str, LfsPointer]:
    """Return what is in git as a pointer of git-lfs, by path, among `paths` (all when empty)."""
    answer = git.call("grep", "--cached", "-l", "-z", "-F", "-e", VERSION, "--", *paths)
    if answer.code > 1:
        raise failed(("grep",), answer)
    names = [name for name in answer.out.decode("utf-8", "surrogateescape").split("\0") if name]
    found = {}
    for name, blob in zip(names, objects.read(git, [f":{name}" for name in names]), strict=True):
        if blob is not None and (pointer := parse(blob.data)) is not None:
            found[name] = pointer
    return found


def kept_at(git: Git, pointer: LfsPointer) -> Path:
    """Return where git-lfs keeps the bytes, if it has them."""
    storage = git.run("config", "--get", "lfs.storage", check=False).strip()
    folder = git.common_dir / (storage or "lfs")
    return folder / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
