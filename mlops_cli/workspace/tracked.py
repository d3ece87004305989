"""What is tracked: the data that pointers stand for, and what steps have made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlops_cli import encode
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.closure import Kind, Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import refusal
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.pointer import Pointer, Side, is_pointer, parse_pointer, read_pointer

LOCKS = ".mlops/lock"


@dataclass(frozen=True, slots=True)
class Tracked:
    """A path whose bytes are in the cache; `source` is the file in git that says so."""

    path: str
    digest: Digest
    kind: Kind
    size: int
    files: int
    source: str
    step: str | None = None  # the step that made it, None for what was added
    executable: bool = False  # of a single file
    remote: str | None = None  # where it is kept, where not in the default remote
    push: bool = True
    pin: Mapping[str, Any] | None = None  # where it was imported from
    theirs: Side | None = None  # the other side of an undecided merge

    @property
    def root(self) -> Root:
        """Return it as a root of the store."""
        return Root(self.path, self.digest, self.kind, self.size, self.files)


def tracked(root: Path, git: Git) -> list[Tracked]:
    """Return all that is tracked in the work tree, sorted by path.

    Raises IntegrityError ("malformed-pointer", "malformed-lock").
    """
    found = [_of_pointer(read_pointer(root, file)) for file in pointer_files(root, git)]
    for file in sorted((root / LOCKS).glob("*.json")):
        source = f"{LOCKS}/{file.name}"
        found += _outputs(file.read_bytes(), source)
    return sorted(found, key=lambda one: one.path)


def tracked_at(git: Git, revision: str) -> list[Tracked]:
    """Return all that is tracked at `revision`, sorted by path. Raises NotFound."""
    from mlops_cli.vcs import objects

    commit = git.rev_parse(revision)
    listing = git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    files = [name for name in listing.split("\0") if is_pointer(name) or _is_lock(name)]
    found: list[Tracked] = []
    for file, blob in zip(
        files, objects.read(git, [f"{commit}:{file}" for file in files]), strict=True
    ):
        if blob is None:
            continue
        found += parsed(blob.data, file)
    return sorted(found, key=lambda one: one.path)


def ever_tracked(git: Git) -> list[Tracked]:
    """Return all that any commit of any branch or tag has tracked, each version of a path once.

    What cannot be read is left out. Raises OutsideWorld ("git-failed").
    """
    from mlops_cli.vcs import objects

    words = ("log", "--exclude=refs/mlops/*", "--all", "--format=", "--raw", "-m", "--root")
    rows = git.run(
        *words, "--no-abbrev", "--no-renames", "-z", "--", "*.mlops", f"{LOCKS}/*.json",
        env={"GIT_LITERAL_PATHSPECS": "0"},
    ).split("\0")  # fmt: skip
    # ":100644 100644 <old id> <new id> M", then the path
    pairs = zip(rows[::2], rows[1::2], strict=False)
    found = {(meta.split(" ")[3], file) for meta, file in pairs if not meta.endswith("D")}
    blobs = sorted(found)
    read = objects.read(git, [blob for blob, _ in blobs])
    each = (entries(file, one.data) for one, (_, file) in zip(read, blobs, strict=True) if one)
    unique = {(one.path, one.digest): one for some in each for one in some}
    return [unique[key] for key in sorted(unique)]


def entries(file: str, data: bytes) -> list[Tracked]:
    """Return what the pointer or lock `file` names, nothing where it is none or cannot be read."""
    try:
        if _is_lock(file):
            return list(_outputs(data, file))
        return [_of_pointer(parse_pointer(data, file=file))] if is_pointer(file) else []
    except IntegrityError:
        return []


def parsed(data: bytes, file: str) -> list[Tracked]:
    """Return what the pointer or lock `data` names, which was read from `file`.

    Raises IntegrityError ("malformed-pointer", "malformed-lock").
    """
    if _is_lock(file):
        return list(_outputs(data, file))
    return [_of_pointer(parse_pointer(data, file=file))]


def pointer_files(root: Path, git: Git) -> list[str]:
    """Return the pointers in the work tree; git looks, so what it ignores is not entered."""
    listing = git.run(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate",
        "--", "*.mlops", env={"GIT_LITERAL_PATHSPECS": "0"},
    )  # fmt: skip
    names = {name for name in listing.split("\0") if is_pointer(name)}
    return sorted(
        name for name in names if not name.startswith(".mlops/") and (root / name).is_file()
    )


def select(found: Iterable[Tracked], paths: Iterable[str]) -> list[Tracked]:
    """Return those of `found` that `paths` name: the path itself, its pointer, a folder around it.

    A path inside a tracked folder selects that folder. All of them when `paths` is empty.
    Raises NotFound ("not-tracked").
    """
    every, wanted = list(found), list(paths)
    if not wanted:
        return every
    chosen: dict[str, Tracked] = {}
    for path in wanted:
        bare = path.removesuffix(".mlops") if is_pointer(path) else path
        matches = [one for one in every if related(one.path, bare)]
        if not matches:
            raise NotFound(
                f"{path} is not tracked",
                code="not-tracked",
                hint=f"mlops add {path}, or mlops ls to see what is tracked",
                details={"path": path},
            )
        chosen |= {one.path: one for one in matches}
    return [chosen[path] for path in sorted(chosen)]


def related(one: str, other: str) -> bool:
    """Tell whether two paths are the same or one lies inside the other."""
    return (
        one == other
        or other in ("", ".")
        or one.startswith(other + "/")
        or other.startswith(one + "/")
    )


def _of_pointer(pointer: Pointer) -> Tracked:
    return Tracked(
        pointer.path,
        pointer.digest,
        pointer.kind,
        pointer.size,
        pointer.files,
        pointer.file,
        executable=pointer.executable,
        remote=pointer.remote,
        push=pointer.push,
        pin=pointer.pin,
        theirs=pointer.theirs,
    )


def _is_lock(path: str) -> bool:
    return path.startswith(LOCKS + "/") and path.endswith(".json")


def _outputs(data: bytes, source: str) -> Iterator[Tracked]:
    value = _lock(data, source)
    step = str(value.get("step", PurePosixPath(source).stem))
    outputs = value.get("outputs", {})
    if not isinstance(outputs, dict):
        raise _malformed(source)
    for path, output in sorted(outputs.items()):
        try:
            if output.get("stored", True) is False:
                continue  # in the workspace that made it, and nowhere else
            kind = output["kind"]
            digest = Digest.parse(output["digest"])
            size, files = int(output.get("size", 0)), int(output.get("files", 1))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise _malformed(source) from exc
        parts = PurePosixPath(path).parts
        if kind not in ("file", "tree") or not parts or any(map(refusal, parts)):
            raise _malformed(source)  # also what would lead into .git, whose hooks are run
        push = output.get("push", True) is not False
        yield Tracked(path, digest, kind, size, files, source, step, push=push)


def _lock(data: bytes, source: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = encode.parse_json(data, source=source)
    if not isinstance(value, dict):
        raise _malformed(source)
    return value


def _malformed(source: str) -> IntegrityError:
    return IntegrityError(
        f"{source} is not a lock file: its outputs cannot be read",
        code="malformed-lock",
        hint=f"restore it with `git checkout -- {source}`, or run the step again",
        details={"file": source},
    )
