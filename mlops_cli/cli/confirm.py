"""Whether things are what their digests say, wherever they are kept: cache, ledger, git, tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import tracing
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.ledger.layout import look_up
from mlops_cli.ledger.record import parse
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import HEADER
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.project import Project

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that was looked at: where its bytes are, and what is wrong with them, if anything.

    `place` is cache, ledger, git or tags; None where the bytes are nowhere here.
    """

    digest: str
    kind: str
    label: str
    place: str | None
    wrong: str | None = None


def confirm(project: Project, names: Sequence[str], cwd: Path) -> list[Link]:
    """Return what `names` mean, each digest once: a digest alone, or all links of a lineage.

    A name is what `mlops lineage` takes, or git:<id> as it prints for tags. Raises NotFound.
    """
    found: dict[str, Link] = {}
    for name in names:
        for link in _named(project, name, cwd):
            found.setdefault(link.digest, link)
    return list(found.values())


def _named(project: Project, name: str, cwd: Path) -> Iterator[Link]:
    if name.startswith("git:"):
        yield _object(project.git, name, "tag", name)
        return
    if name.startswith("sha256:"):
        digest = str(Digest.parse(name))
        known = _record(project.git, digest) or _bytes(project.cache, digest, "bytes", digest)
        if known.place is not None:
            yield known
            return
        nodes = [node for node in _nodes(project, name, cwd) if node["id"] == digest]
    else:
        nodes = _nodes(project, name, cwd)
    for node in nodes:
        yield from _node(project, node)


def _nodes(project: Project, name: str, cwd: Path) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = tracing.trace(project, name, cwd).data["nodes"]
    return nodes


def _node(project: Project, node: dict[str, Any]) -> Iterator[Link]:
    digest, kind, label = node["id"], node["kind"], node["label"]
    if node["place"] == "ledger":
        yield _record(project.git, digest) or _nowhere(digest, kind, label)
    elif node["place"] == "git":  # it was hashed when it was looked for
        yield Link(digest, kind, label, "git")
    elif node["digest"]:
        yield _bytes(project.cache, digest, kind, label)
    if tag := node["tag"]:
        yield _object(project.git, tag["object"], "tag", tag["name"])


def _record(git: Git, digest: str) -> Link | None:
    """Return the record of that digest, None where no ledger has one."""
    wrong = None
    for writer, data in look_up(git, [digest])[digest]:
        try:
            record = parse(data, name=digest, source=f"the ledger of {writer}")
        except IntegrityError as exc:
            wrong = Link(digest, "record", digest, "ledger", exc.message)
            continue
        return Link(digest, record.kind, f"the ledger of {writer}", "ledger")
    return wrong


def _bytes(cache: Cache, digest: str, kind: str, label: str) -> Link:
    """Return the object of that digest; of a folder, all that is in it was read too."""
    root = Digest(digest)
    if not cache.has(root):
        return _nowhere(digest, kind, label)
    try:
        for one in _below(cache, root, label):
            with cache.open(one) as stream:
                while stream.read(CHUNK):
                    pass
    except (IntegrityError, NotFound) as exc:
        return Link(digest, kind, label, "cache", exc.message)
    return Link(digest, kind, label, "cache")


def _below(cache: Cache, digest: Digest, label: str) -> list[Digest]:
    with cache.stream(digest) as stream:  # a glance; every byte is hashed afterwards
        if stream.read(len(HEADER)) != HEADER:
            return [digest]
    reached = closure(cache, [Root(label, digest, "tree")])
    absent = [part.digest for part in (*reached.absent, *reached.damaged)]
    return [*reached.objects, *absent]


def _object(git: Git, name: str, kind: str, label: str) -> Link:
    (held,) = objects.read(git, [name.removeprefix("git:")])
    if held is None:
        return _nowhere(name, kind, label)
    again = git.run("hash-object", "-t", held.kind, "--stdin", input=held.data).strip()
    wrong = None if f"git:{again}" == name else f"the bytes of {name} are those of git:{again}"
    return Link(name, kind, label, "tags" if held.kind == "tag" else "git", wrong)


def _nowhere(digest: str, kind: str, label: str) -> Link:
    return Link(digest, kind, label, None, f"{digest} is not here: mlops pull, git fetch")
