"""Annotated tags that carry a JSON payload: found by name, read with a bound, damage told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import parse_json
from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs import objects
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.objects import GitObject
from mlops_cli.vcs.repo import Git

HERE = "refs/tags/"
LIMIT = 1 << 20  # bytes of a tag that is read: ours have a few thousand
_BROKEN = re.compile(r"ignoring broken ref refs/tags/(\S+)")
_SIGNATURE = re.compile(rb"^-----BEGIN [A-Z ]+-----$", re.M)
Head = tuple[str, GitObject | None]  # id, "" of a damaged ref; kind and size, None of lost bytes


@dataclass(frozen=True, slots=True)
class Tag:
    """One annotated tag: `id` names the tag object, `target` the commit it points to."""

    name: str
    id: str
    target: str
    payload: bytes

    def value(self) -> Any:
        """Return the payload. Raises IntegrityError ("malformed-json") naming the tag."""
        return parse_json(self.payload, source=f"tag {self.name}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A tag that stands in the way of others of its name and says nothing."""

    name: str
    id: str
    why: str


def names(git: Git, prefix: str) -> dict[str, str]:
    """Return name → id of the tags under `prefix` ("mlops/delay/", "mlops/delay/v*"), unread.

    Costs one process, and of the tags only those under the prefix. The id of a ref that is
    damaged is "".
    """
    answer = git.call("for-each-ref", "--format=%(objectname) %(refname)", HERE + prefix)
    if answer.code != 0:
        raise failed(("for-each-ref",), answer)
    lines = answer.out.decode("utf-8", "surrogateescape").splitlines()
    rows = (line.partition(" ") for line in lines)
    found = {name.removeprefix(HERE): oid for oid, _, name in rows}
    broken = (name for name in _BROKEN.findall(answer.err) if _under(name, prefix))
    return dict(sorted({**found, **dict.fromkeys(broken, "")}.items()))


def heads(git: Git, prefix: str) -> dict[str, Head]:
    """Return name → head of the tags under `prefix`, by one process."""
    words = "%(objectname) %(objecttype) %(objectsize) %(refname)"
    answer = git.call("for-each-ref", f"--format={words}", HERE + prefix)
    if answer.code != 0 or answer.err:  # something is damaged: told of each
        return _heads(git, names(git, prefix))
    rows = (row.split(" ", 3) for row in answer.out.decode("utf-8", "surrogateescape").splitlines())
    return {
        name.removeprefix(HERE): (oid, GitObject(oid, kind, size=int(size)))
        for oid, kind, size, name in rows
    }


def read(git: Git, found: Mapping[str, str]) -> list[Tag | Unreadable]:
    """Return the tags of name → id in that order."""
    return bodies(git, _heads(git, found))


def bodies(git: Git, wanted: Mapping[str, Head], *, holding: bytes = b"") -> list[Tag | Unreadable]:
    """Return the tags of name → head in that order, or only those whose bytes hold `holding`,
    which is quick where none does.

    Nothing is read that is larger than LIMIT, and what is damaged costs nothing but itself.
    """
    why = {name: _unfit(*head) for name, head in wanted.items()}
    fit = [wanted[name][0] for name, wrong in why.items() if wrong is None]
    if holding and not objects.hold(git, fit, holding):
        return []
    held = iter(_read(git, fit))
    tags: list[Tag | Unreadable] = []
    for name, wrong in why.items():
        body = next(held) if wrong is None else None
        if body is None:
            tags.append(Unreadable(name, wanted[name][0], wrong or "git has lost its bytes"))
        elif holding in body.data:
            tags.append(_parsed(name, body))
    return tags


def listing(git: Git, prefix: str) -> list[Tag | Unreadable]:
    """Return all tags under `prefix`, by name."""
    return bodies(git, heads(git, prefix))


def one(git: Git, name: str) -> Tag | Unreadable | None:
    """Return the tag of this name, None where there is none; no other is looked at."""
    found = heads(git, name)
    return bodies(git, {name: found[name]})[0] if name in found else None


def _heads(git: Git, found: Mapping[str, str]) -> dict[str, Head]:
    known = objects.check(git, list(found.values()))
    return {name: (oid, head) for (name, oid), head in zip(found.items(), known, strict=True)}


def _under(name: str, prefix: str) -> bool:
    head, star, _ = prefix.partition("*")
    return name.startswith(head) and (not star or "/" not in name.removeprefix(head))


def _unfit(oid: str, head: GitObject | None) -> str | None:
    if not oid:
        return "git cannot read this ref"
    if head is None:
        return "git has lost its bytes"
    if head.kind != "tag":
        return f"it is a lightweight tag, which names a {head.kind} and says nothing"
    if head.size > LIMIT:
        return f"it has {head.size:,} bytes, more than {LIMIT:,}, and is not read"
    return None


def _read(git: Git, ids: list[str]) -> list[GitObject | None]:
    """Return the objects; git ends at the first that is corrupt, so that one is looked for."""
    try:
        return objects.read(git, ids)
    except OutsideWorld:
        if len(ids) == 1:
            return [None]
        half = len(ids) // 2
        return _read(git, ids[:half]) + _read(git, ids[half:])


def _parsed(name: str, body: GitObject) -> Tag | Unreadable:
    head, _, message = body.data.partition(b"\n\n")
    said = dict(line.partition(b" ")[::2] for line in head.split(b"\n"))
    if said.get(b"tag") != name.encode("utf-8", "surrogateescape"):
        other = said.get(b"tag", b"").decode("utf-8", "replace")
        return Unreadable(name, body.id, f"it was made as the tag {other!r}")
    if said.get(b"type") != b"commit":
        return Unreadable(name, body.id, "it does not point to a commit")
    _, _, rest = message.partition(b"\n\n")
    signature = _SIGNATURE.search(rest)
    payload = rest[: signature.start()] if signature else rest
    return Tag(name, body.id, said.get(b"object", b"").decode(), payload)
