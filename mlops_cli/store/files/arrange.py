"""What has to happen so that a path holds an object: planned here, done by `materialize`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Literal, NamedTuple

from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import PREFIX, RAW_LENGTH, Digest
from mlops_cli.store.files.ingest import survey
from mlops_cli.store.files.placing import is_abandoned
from mlops_cli.store.files.scan import Folder, Ignored, Kind, Scan, mode_of
from mlops_cli.store.statcache import FACTS, StatCache, pack
from mlops_cli.store.tree import (
    FOLDERS_AT_MOST,
    Entry,
    Mode,
    check_depth,
    parse_rows,
    parse_tree,
    trap,
)

_RAW = Struct(f"{RAW_LENGTH}s")


class Move(NamedTuple):
    """One step: what happens to `name` in the folder `inside`.

    `inside` is "" for the root itself, else ends in "/"; None is the folder the root lies in.
    `facts` are those of the file that goes, so that one that changed meanwhile is not touched.
    """

    action: Literal["unlink", "rmdir", "create", "replace", "folder", "discard"]
    inside: str | None
    name: str
    entry: Entry | None = None
    facts: bytes = b""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `materialize` will do. Paths are relative to `to`; for a file, its own name."""

    to: Path
    digest: Digest
    kind: Kind
    create: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    unsaved: tuple[str, ...] = ()  # of those that go: the cache does not hold their bytes
    size: int = 0  # bytes that will be written
    moves: tuple[Move, ...] = field(default=(), repr=False)
    cache: Cache = field(kw_only=True, repr=False, compare=False)
    stats: StatCache | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class _Draft:
    cache: Cache
    create: list[str] = field(default_factory=list)
    replace: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    needed: set[bytes] = field(default_factory=set)  # raw digests of what is to be written
    size: int = 0


def plan_materialize(
    cache: Cache,
    digest: Digest,
    kind: Kind,
    to: Path,
    *,
    mode: Mode | None = None,
    stats: StatCache | None = None,
    ignored: Ignored | None = None,
    jobs: int = 0,
) -> Plan:
    """Return what makes `to` hold the object `digest`; nothing is changed yet.

    What is `ignored` in the workspace stays. `mode` says more about a file: None leaves the
    executable bit of one that is there as it is, "link" makes a link that leads where the object
    says. Raises NotFound ("missing-object") when the cache lacks anything that has to be written,
    IntegrityError for damaged or hostile trees.
    """
    to = Path(os.path.abspath(to))
    draft = _Draft(cache)
    wanted = Entry(to.name, "dir" if kind == "tree" else mode or "file", digest, 0)
    if mode == "link" and to.is_symlink():
        _plan_link(draft, to, wanted)
    else:
        present: Scan | None = None
        if os.path.lexists(to):
            present = survey(to, stats=stats, ignored=ignored, cache=cache, jobs=jobs)
        _plan_root(draft, present, wanted, any_mode=mode is None)
    for raw in cache.lacking(draft.needed):
        raise cache.absent(Digest.from_raw(raw))
    return Plan(
        to,
        digest,
        kind,
        tuple(sorted(draft.create)),
        tuple(sorted(draft.replace)),
        tuple(sorted(draft.delete)),
        tuple(sorted(draft.unsaved)),
        draft.size,
        tuple(draft.moves),
        cache=cache,
        stats=stats,
    )


def plan_clear(
    cache: Cache,
    to: Path,
    *,
    stats: StatCache | None = None,
    ignored: Ignored | None = None,
) -> Plan | None:
    """Return what takes away all that lies at `to`, None where nothing does; nothing is changed.

    What is `ignored` stays, and the folders around it. The plan says which files are stored
    nowhere. Raises as `scan` does.
    """
    to = Path(os.path.abspath(to))
    if not os.path.lexists(to):
        return None
    draft = _Draft(cache)
    if to.is_symlink() and not _leads_into(cache, to):
        raw = sha256(os.fsencode(to.readlink())).digest()
        _go(draft, None, to.name, pack(to.lstat()), raw)
        digest, kind = raw, "file"
    else:
        present = survey(to, stats=stats, ignored=ignored, cache=cache)
        top = present.folders[0]
        kind, digest = present.kind, top.tree if present.kind == "tree" else top.digests[0]
        if present.kind == "tree":
            _clear(draft, top, None, to.name)
        else:
            _go(draft, None, to.name, top.facts, digest)
    return Plan(
        to,
        Digest.from_raw(digest),
        "tree" if kind == "tree" else "file",
        delete=tuple(sorted(draft.delete)),
        unsaved=tuple(sorted(draft.unsaved)),
        moves=tuple(draft.moves),
        cache=cache,
        stats=stats,
    )


def _leads_into(cache: Cache, link: Path) -> bool:
    return os.path.dirname(link.readlink()).startswith(os.path.realpath(cache.root / "objects"))


def _plan_link(draft: _Draft, to: Path, wanted: Entry) -> None:
    raw = sha256(os.fsencode(to.readlink())).digest()
    if raw != wanted.digest.raw:
        entry = wanted._replace(size=draft.cache.size(wanted.digest))
        _replace(draft, None, entry, pack(to.lstat()), raw)


def _plan_root(draft: _Draft, present: Scan | None, wanted: Entry, *, any_mode: bool) -> None:
    if present is None:
        _come(draft, None, wanted)
        return
    top = present.folders[0]
    if present.kind == "file":
        facts, digest = top.facts, top.digests[0]
        ((*_, bits),) = top.stats()
        if digest == wanted.digest.raw and (any_mode or mode_of(bits) == wanted.mode):
            return
        if wanted.mode != "dir":
            size = draft.cache.size(wanted.digest)
            _replace(draft, None, wanted._replace(size=size), facts, digest)
        else:
            _go(draft, None, wanted.name, facts, digest)
            _come(draft, None, wanted)
    elif wanted.mode != "dir":
        _clear(draft, top, None, wanted.name)
        _come(draft, None, wanted)
    elif not (top.names or top.folders or top.leftovers or top.ignored):
        _come(draft, None, wanted)  # a folder takes the place of an empty one
    else:
        _plan_folders(draft, top, wanted.digest)


def _plan_folders(draft: _Draft, top: Folder, tree: Digest) -> None:
    """Compare folder by folder, passing over those that are right."""
    waiting = [(top, tree)]
    while waiting:
        folder, digest = waiting.pop()
        for name in folder.leftovers:
            if is_abandoned(name):
                draft.moves.append(Move("discard", folder.inside, name))
        if folder.tree == digest.raw:
            continue
        wanted = {entry.name: entry for entry in parse_tree(draft.cache.read(digest))}
        inside = folder.inside
        step = FACTS.size
        for at, (name, facts) in enumerate(zip(folder.names, folder.stats(), strict=True)):
            entry = wanted.get(name)
            raw, packed = folder.digests[at], folder.facts[at * step : (at + 1) * step]
            if entry is None or entry.mode == "dir":
                _go(draft, inside, name, packed, raw)
                continue
            if raw != entry.digest.raw or mode_of(facts[4]) != entry.mode:
                _replace(draft, inside, entry, packed, raw)
            del wanted[name]
        for name, inner in folder.folders:
            entry = wanted.get(name)
            if entry is None or entry.mode != "dir":
                _clear(draft, inner, inside, name)
            else:
                waiting.append((inner, entry.digest))
                del wanted[name]
        for entry in wanted.values():
            _come(draft, inside, entry)


def _go(draft: _Draft, inside: str | None, name: str, facts: bytes, raw: bytes) -> None:
    path = (inside or "") + name
    draft.delete.append(path)
    draft.moves.append(Move("unlink", inside, name, None, facts))
    if not draft.cache.has_raw(raw):
        draft.unsaved.append(path)


def _replace(draft: _Draft, inside: str | None, entry: Entry, facts: bytes, raw: bytes) -> None:
    path = (inside or "") + entry.name
    _need(draft, entry)
    draft.replace.append(path)
    draft.moves.append(Move("replace", inside, entry.name, entry, facts))
    if not draft.cache.has_raw(raw):
        draft.unsaved.append(path)


def _clear(draft: _Draft, top: Folder, inside: str | None, name: str) -> None:
    """Plan the end of a folder: what is in it first, from the innermost outwards."""
    nested = [(inside, name, top)]
    order = []
    while nested:
        where, called, folder = nested.pop()
        order.append((where, called, folder))
        nested += [(folder.inside, inner_name, inner) for inner_name, inner in folder.folders]
    step = FACTS.size
    for where, called, folder in reversed(order):
        for at, file in enumerate(folder.names):
            facts = folder.facts[at * step : (at + 1) * step]
            _go(draft, folder.inside, file, facts, folder.digests[at])
        draft.moves += [
            Move("discard", folder.inside, left) for left in folder.leftovers if is_abandoned(left)
        ]
        draft.moves.append(Move("rmdir", where, called))


def _come(draft: _Draft, inside: str | None, entry: Entry) -> None:
    path = (inside or "") + entry.name
    if entry.mode != "dir":
        if inside is None:
            entry = entry._replace(size=draft.cache.size(entry.digest))
        _need(draft, entry)
        draft.create.append(path)
        draft.moves.append(Move("create", inside, entry.name, entry))
        return
    draft.moves.append(Move("folder", inside, entry.name, entry))
    waiting = [("" if inside is None else path + "/", entry.digest)]
    room, folders = 0, 0
    while waiting:
        base, digest = waiting.pop()
        check_depth(base)
        rows = parse_rows(draft.cache.read(digest))
        if not folders:
            room = len(draft.create) + sum([row[4] for row in rows])
        folders += 1
        # a folder that holds another twice, which does the same, is a thousand bytes and no end
        if len(draft.create) > room or folders > room + FOLDERS_AT_MOST:
            raise trap("it holds more than it says")
        files = [row for row in rows if row[1] != "dir"]
        waiting += [
            (f"{base}{row[0]}/", Digest(PREFIX + row[2])) for row in rows if row[1] == "dir"
        ]
        draft.create += [base + row[0] for row in files]
        raws = bytes.fromhex("".join([row[2] for row in files]))
        draft.needed.update([raw for (raw,) in _RAW.iter_unpack(raws)])
        draft.size += sum([row[3] for row in files])


def _need(draft: _Draft, entry: Entry) -> None:
    draft.needed.add(entry.digest.raw)
    draft.size += entry.size
