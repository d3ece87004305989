"""What a project needs of a cache: all that git names, the index, and files nobody committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.store.space.collect import Named, Needs, names_in
from mlops_cli.vcs import history
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.pointer import is_pointer
from mlops_cli.workspace.tracked import LOCKS, pointer_files

ENVIRONMENTS = "environments"
PINS = ".mlops/pins"

_ROLES = frozenset({"", ".mlops", LOCKS, ENVIRONMENTS})


@dataclass(slots=True)
class Memory:
    """Commits that were read before, and what they name: asking again costs only what is new."""

    commits: frozenset[str] = frozenset()
    found: Needs = field(default_factory=Needs)


def roots(root: Path, git: Git, memory: Memory | None = None) -> Needs:
    """Return what pointers, locks, environments and pins name.

    Needed now: at the tip of every ref, at every step of a reflog, in stashes, in the index and
    in the files of every work tree. Older commits are history. What cannot be parsed still
    counts with every digest in it. With `memory`, what was needed before still is.
    Raises OutsideWorld ("git-failed").
    """
    memory = memory or Memory()
    commits = history.commits(git)
    held = {*commits.held, *_revisions(root, git)}
    blobs = history.blobs(git, held - memory.commits, role=_role, wanted=_wanted)
    older = history.blobs(git, commits.older - memory.commits, role=_role, wanted=_wanted) - blobs
    now = Named()
    for place in {root, *history.worktrees(git)}:
        tree = Git(place)
        blobs |= {blob for path, blob in history.staged(tree) if _counts(path)}
        now |= _together(_files(place, tree))
    now |= _together(history.contents(git, blobs))
    memory.found |= Needs(now, _together(history.contents(git, older)))
    memory.commits |= held | commits.older
    return memory.found


def pins(root: Path, git: Git) -> Named:
    """Return what `.mlops/pins` names: digests, and all that is tracked at the revisions in it."""
    return _together([_bytes(root / PINS)]) | named_at(git, _revisions(root, git))


def named_at(git: Git, revisions: Iterable[str]) -> Named:
    """Return what the files of `revisions` name."""
    blobs = history.blobs(git, revisions, role=_role, wanted=_wanted)
    return _together(history.contents(git, blobs))


def in_workspace(root: Path, git: Git) -> Named:
    """Return what the files of the work tree and HEAD name."""
    head = git.head().commit
    blobs = history.blobs(git, [head] if head else [], role=_role, wanted=_wanted)
    return _together([*_files(root, git), *history.contents(git, blobs)])


def _revisions(root: Path, git: Git) -> list[str]:
    """Return the commits that `.mlops/pins` names. Raises NotFound ("unknown-revision")."""
    lines = _bytes(root / PINS).decode("utf-8", "surrogateescape").splitlines()
    words = [line.split("#")[0].strip() for line in lines]
    return [git.rev_parse(word) for word in words if word and not word.startswith("sha256:")]


def _together(texts: Iterable[bytes]) -> Named:
    digests: set[bytes] = set()
    trees: set[bytes] = set()
    for text in texts:
        found = names_in(text)
        digests |= found.digests
        trees |= found.trees
    return Named(frozenset(digests), frozenset(trees))


def _files(root: Path, git: Git) -> Iterator[bytes]:
    for file in pointer_files(root, git):
        yield _bytes(root / file)
    for folder, suffix in ((LOCKS, ".json"), (ENVIRONMENTS, ".yaml")):
        for path in (root / folder).glob(f"*{suffix}"):
            yield _bytes(path)
    yield _bytes(root / PINS)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


def _role(path: str) -> str | None:
    if path in _ROLES:
        return path
    return None if path.startswith(".mlops/") else "data"


def _wanted(role: str, name: str) -> bool:
    if role == ".mlops":
        return name == "pins"
    if role == LOCKS:
        return name.endswith(".json")
    return is_pointer(name) or (role == ENVIRONMENTS and name.endswith(".yaml"))


def _counts(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    role = _role(folder)
    return role is not None and _wanted(role, name)
