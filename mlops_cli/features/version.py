"""What a view was built into, now or at any commit: values by digest, and their rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import IntegrityError, NotFound, StepFailed, UsageError
from mlops_cli.features import read
from mlops_cli.pipeline.model.data import FeatureView
from mlops_cli.pipeline.model.plain import from_plain
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    import pyarrow as pa

SHORTEST = 6  # hex digits by which a digest may be named


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a view: the digest of out/features/NAME, and the view as it was then."""

    name: str
    digest: str
    spec: FeatureView


def path_of(name: str) -> str:
    """Return where the lock of the view stands."""
    return locks.path_of(f"feature.{name}")


def find(git: Git, name: str, word: str) -> Version:
    """Return the version that `word` names: "sha256:…" (or its start), else a git revision.

    Raises NotFound ("unknown-version", "unknown-revision").
    """
    if not word.startswith("sha256:"):
        commit = git.rev_parse(word)
        data = git.show(commit, path_of(name))
        if data is None:
            raise NotFound(
                f"features.{name} was not built at {word}",
                code="unknown-version",
                hint=f"mlops feature history {name}",
                details={"view": name, "version": word},
            )
        return of(read_lock(name, data), name)
    if len(word) < len("sha256:") + SHORTEST:
        raise UsageError(
            f"{word!r} is too short to name a version", code="short-digest", hint="give more of it"
        )
    found = {one.digest: one for one in everywhere(git, name) if one.digest.startswith(word)}
    if len(found) != 1:
        raise NotFound(
            f"{'no' if not found else 'more than one'} version of features.{name} is {word}",
            code="unknown-version",
            hint=f"mlops feature history {name}",
            details={"view": name, "version": word, "found": sorted(found)},
        )
    return next(iter(found.values()))


def current(root: Path, name: str) -> Version | None:
    """Return what the lock in the work tree says, None where the view was never built."""
    try:
        data = (root / path_of(name)).read_bytes()
    except FileNotFoundError:
        return None
    return of(read_lock(name, data), name)


def everywhere(git: Git, name: str) -> Iterator[Version]:
    """Return the version in the work tree and those of all commits, newest first."""
    here = current(git.root, name)
    if here is not None:
        yield here
    listed = git.run("log", "--all", "--format=%H", "--", path_of(name)).split()
    for found in objects.read(git, [f"{commit}:{path_of(name)}" for commit in listed]):
        if found is not None:
            yield of(read_lock(name, found.data), name)


def values(cache: Cache, version: Version) -> pa.Table:
    """Return the rows of the version, verified, from the cache.

    Raises NotFound ("missing-object") with a hint to pull, IntegrityError ("damaged-object").
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tree = parse_tree(cache.read(Digest.parse(version.digest)))
    inside = [entry for entry in tree if entry.name == "values.parquet"]
    if not inside:
        raise IntegrityError(
            f"{version.digest} holds no values of a view",
            code="malformed-version",
            hint=f"mlops feature history {version.name}",
        )
    try:
        return read.plain(pq.read_table(pa.BufferReader(cache.read(inside[0].digest))))
    except pa.ArrowException as exc:
        raise StepFailed(
            f"the values of features.{version.name} cannot be read: {str(exc).splitlines()[0]}",
            code="unreadable-data",
            hint=f"mlops feature build {version.name} --force",
        ) from exc


def of(lock: Lock, name: str) -> Version:
    """Return the version that a lock tells of. Raises IntegrityError ("malformed-lock")."""
    try:
        spec = from_plain(FeatureView, lock.parts["config"]["view"])
        return Version(name, lock.outputs[f"out/features/{name}"].digest, spec)
    except (KeyError, TypeError) as exc:
        raise IntegrityError(
            f"the lock of feature.{name} tells of no view",
            code="malformed-lock",
            hint=f"mlops feature build {name} --force",
        ) from exc


def read_lock(name: str, data: bytes) -> Lock:
    """Return the lock in `data`."""
    return locks.read_lock(data, step=f"feature.{name}")
