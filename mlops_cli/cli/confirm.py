"""Whether things are what their digests say, wherever they are kept: cache, ledger, git, tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import tracing
from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.layout import look_up
from mlops_cli.ledger.record import parse
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.project import Project


def confirm(
    project: Project, names: Sequence[str], cwd: Path, *, known: Collection[str] = ()
) -> list[Link]:
    """Return what `names` mean, each digest once: a digest alone, or all links of a lineage.

    A name is what `mlops lineage` takes, or git:<id> as it prints for tags; what is `known` by
    its digest is not looked at. Raises NotFound.
    """
    found: dict[str | None, Link] = {}
    for name in names:
        for link in _named(project, name, cwd, known):
            found.setdefault(link.digest, link)
    return list(found.values())


def _named(project: Project, name: str, cwd: Path, known: Collection[str]) -> Iterator[Link]:
    if name.startswith("git:"):
        yield _object(project.git, name, "tag", name)
        return
    if name.startswith("sha256:"):
        digest = str(Digest.parse(name))
        own = _record(project.git, digest) or _bytes(project, digest, "bytes", digest)
        if own.place is not None:
            yield own
            return
        nodes = [node for node in _nodes(project, name, cwd) if node["id"] == digest]
    else:
        nodes = _nodes(project, name, cwd)
    for node in nodes:
        yield from _node(project, node, known)


def _nodes(project: Project, name: str, cwd: Path) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = tracing.trace(project, name, cwd).data["nodes"]
    return nodes


def _node(project: Project, node: dict[str, Any], known: Collection[str]) -> Iterator[Link]:
    digest, kind, label = node["id"], node["kind"], node["label"]
    if digest in known:
        pass
    elif node["place"] == "ledger":
        yield _record(project.git, digest) or _nowhere(digest, kind, label)
    elif node["place"] == "git":  # it was hashed when it was looked for
        yield Link(kind, label, digest, "git")
    elif kind == "code":  # named by its definitions, which no cache holds
        why = f"no commit that is here has {label} with these definitions: git fetch --unshallow"
        yield Link(kind, label, digest, None).found("missing", "missing-code", why)
    elif node["digest"]:
        yield _bytes(project, digest, kind, label)
    if tag := node["tag"]:
        yield _object(project.git, tag["object"], "tag", tag["name"])


def _record(git: Git, digest: str) -> Link | None:
    """Return the record of that digest, None where no ledger has one."""
    wrong = None
    for writer, data in look_up(git, [digest])[digest]:
        try:
            record = parse(data, name=digest, source=f"the ledger of {writer}")
        except IntegrityError as exc:
            link = Link("record", digest, digest, "ledger")
            wrong = link.found("mismatch", exc.code, exc.message)
            continue
        return Link(record.kind, f"the ledger of {writer}", digest, "ledger")
    return wrong


def _bytes(project: Project, digest: str, kind: str, label: str) -> Link:
    """Return the object of that digest; of a folder, all that is in it was read too."""
    ground = Ground(project.git, project.cache, "bytes", None)
    link = ground.bytes_of(Link(kind, label, digest, "cache"), hashed=True)
    return link if link.bad else judged(link, lambda: ground.read(link))


def _object(git: Git, name: str, kind: str, label: str) -> Link:
    (held,) = objects.read(git, [name.removeprefix("git:")])
    if held is None:
        return _nowhere(name, kind, label)
    again = git.run("hash-object", "-t", held.kind, "--stdin", input=held.data).strip()
    link = Link(kind, label, name, "tags" if held.kind == "tag" else "git")
    if f"git:{again}" == name:
        return link
    return link.found("mismatch", "damaged-tag", f"the bytes of {name} are those of git:{again}")


def _nowhere(digest: str, kind: str, label: str) -> Link:
    why = f"{digest} is not here: mlops pull, git fetch"
    return Link(kind, label, digest, None).found("missing", "missing-object", why)
