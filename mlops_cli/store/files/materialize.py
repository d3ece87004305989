"""From the store into the workspace, never over unsaved bytes."""

from __future__ import annotations

import os

from mlops_cli import fsio
from mlops_cli.errors import StateRefused
from mlops_cli.progress import SILENT, Progress, Task
from mlops_cli.store import hashing
from mlops_cli.store.files import linked
from mlops_cli.store.files.arrange import Move, Plan, plan_materialize
from mlops_cli.store.files.filling import Filler
from mlops_cli.store.files.placing import (
    FOLDER,
    LinkKind,
    Placer,
    discard,
    in_the_way,
    is_abandoned,
)
from mlops_cli.store.statcache import Known, StatCache, pack, settled

__all__ = ["LinkKind", "Plan", "materialize", "plan_materialize"]

LARGE = 1 << 20  # bytes of a file, on average


def materialize(
    plan: Plan,
    *,
    link: LinkKind = "auto",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Do what `plan` says: each file, and each folder that is new, appears whole or not at all.

    `link` "auto" shares blocks where the disk can and copies elsewhere; "copy" always copies;
    "hardlink" and "symlink" lead large files without the executable bit to the read-only object.
    Files are not flushed to the disk one by one: the cache has them, and has flushed them.
    Raises StateRefused ("unsaved-bytes") before anything is changed unless `overwrite`, and for a
    file that changed since the plan was made; OutsideWorld ("disk-full", "cannot-write").
    """
    if plan.unsaved and not overwrite:
        raise _unsaved(plan)
    stats = plan.stats
    with fsio.translated(plan.to):
        plan.to.parent.mkdir(parents=True, exist_ok=True)
        files = len(plan.create) + len(plan.replace)
        large = plan.size >= files * LARGE and plan.size > 0  # then bytes are what moves
        total, unit = (plan.size, "B") if large else (files, "files")
        with progress.task("writing", total=total, unit=unit) as task:
            counter = SILENT.task("files") if large else task
            placer = Placer(plan.cache, link=link, tick=task.advance if large else hashing.nothing)
            hand = _Hand(plan, placer, counter)
            try:
                hand.sweep()
                for move in plan.moves:
                    hand.carry_out(move)
                    if move.action in ("create", "replace"):
                        counter.advance()
            finally:
                hand.close()
                if stats is not None:
                    _remember(hand, stats)


class _Hand:
    """Carries out one move after the other, holding open the folder it works in."""

    def __init__(self, plan: Plan, placer: Placer, task: Task) -> None:
        self.cache, self.placer = plan.cache, placer
        self.files: dict[str, list[tuple[str, bytes, bytes]]] = {}  # by folder: name, facts, raw
        self._to = plan.to
        self._parent = os.open(plan.to.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._inside: str | None = None
        self._handle = self._parent
        files = len(plan.create)
        self.filler = Filler(plan.cache, placer, self._parent, files=files, task=task)

    def sweep(self) -> None:
        """Remove what a killed checkout left beside the root."""
        for name in os.listdir(self._parent):
            if is_abandoned(name):
                discard(self._parent, name)

    def carry_out(self, move: Move) -> None:
        """Do one move. Raises StateRefused ("unsaved-bytes") if its file is no longer the one."""
        handle = self._enter(move.inside)
        path = (
            self._to.parent / move.name
            if move.inside is None
            else self._to / move.inside / move.name
        )
        if move.facts and not _same(handle, move.name, move.facts):
            raise in_the_way(path)
        if move.action == "unlink":
            os.unlink(move.name, dir_fd=handle)
        elif move.action == "discard":
            discard(handle, move.name)
        elif move.action == "rmdir":
            try:
                os.rmdir(move.name, dir_fd=handle)
            except OSError:
                pass  # what is ignored lies in it and keeps it
        elif move.entry is None:
            raise AssertionError(move)
        elif move.action == "folder":
            below = "" if move.inside is None else f"{self._to.name}/{move.inside}"
            entry = move.entry
            self.filler.folder(handle, below, entry.name, entry.digest, final=str(path))
        else:
            try:
                place = self.placer.create if move.action == "create" else self.placer.replace
                facts = place(handle, move.entry, str(path))
            except (FileExistsError, IsADirectoryError) as exc:
                raise in_the_way(path) from exc
            if facts is not None:
                row = (move.name, facts, move.entry.digest.raw)
                self.files.setdefault(str(path.parent), []).append(row)

    def close(self) -> None:
        """Let go of the folders, and of whoever helped."""
        self.filler.close()
        if self._handle != self._parent:
            os.close(self._handle)
        os.close(self._parent)

    def _enter(self, inside: str | None) -> int:
        if inside == self._inside:
            return self._handle
        if self._handle != self._parent:
            os.close(self._handle)
        self._handle, self._inside = self._parent, inside
        if inside is not None:
            for part in (self._to.name, *inside.split("/")[:-1]):
                outer = self._handle
                try:
                    self._handle = os.open(part, FOLDER, dir_fd=outer)
                except (NotADirectoryError, FileNotFoundError, OSError) as exc:
                    raise in_the_way(self._to / inside) from exc
                finally:
                    if outer not in (self._parent, self._handle):
                        os.close(outer)
        return self._handle


def _same(handle: int, name: str, facts: bytes) -> bool:
    try:
        now = pack(os.stat(name, dir_fd=handle, follow_symlinks=False))
    except FileNotFoundError:
        return False
    return now[8:32] == facts[8:32]  # times and inode; a link into the cache shows another size


def _remember(hand: _Hand, stats: StatCache) -> None:
    """Keep what was written, except in the clock's last tick: somebody could change it unseen."""
    linked.remember(linked.beside(stats), hand.cache, hand.placer.linked)
    stamp = stats.clock()
    stats.replace((path, settled(known, stamp)) for path, known in hand.filler.placed.items())
    merged = {}
    for folder, rows in hand.files.items():
        rows.sort()
        known = Known(
            b"\0".join(name.encode() for name, _, _ in rows),
            b"".join(facts for _, facts, _ in rows),
            b"".join(raw for _, _, raw in rows),
        )
        merged[folder] = settled(known, stamp)
    stats.merge(merged)


def _unsaved(plan: Plan) -> StateRefused:
    first = ", ".join(plan.unsaved[:3])
    more = f" and {len(plan.unsaved) - 3} more" if len(plan.unsaved) > 3 else ""
    return StateRefused(
        f"{plan.to} holds bytes that are stored nowhere: {first}{more}",
        code="unsaved-bytes",
        hint="mlops add to keep them, or pass --overwrite to lose them",
        details={"paths": list(plan.unsaved)},
    )
