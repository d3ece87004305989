"""Data of a DVC repository becomes ours: bytes first, then trees, then pointers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.dvc import elsewhere
from mlops_cli.integrations.dvc.bring import Bringer
from mlops_cli.integrations.dvc.brought import Got, Result
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.integrations.dvc.outs import Out, Refused
from mlops_cli.integrations.dvc.parcels import Parcel, Plan
from mlops_cli.integrations.dvc.row import Row, State
from mlops_cli.integrations.dvc.survey import Survey
from mlops_cli.integrations.dvc.trees import is_executable, plant
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.alias import open_aliases
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.files.ingest import Stored
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.workspace import ignore
from mlops_cli.workspace.pointer import Pointer, write_pointer
from mlops_cli.workspace.tracked import Tracked


@dataclass(slots=True)
class Taken:
    """What became of the data. `stored` goes by path."""

    stored: dict[str, Stored]
    result: Result
    rows: list[Row]


def take(
    project: Path,
    found: Survey,
    made: Plan,
    *,
    cache: Cache,
    tracked: Iterable[Tracked],
    attach: bool = False,
    link: Link = "auto",
    force: bool = False,
    progress: Progress = SILENT,
) -> Taken:
    """Bring what `made` says and write pointers for what is data; outputs of stages are stored
    only, for their pointers are locks."""
    repository = found.repository
    ignore.hide(cache.root)
    aliases = open_aliases(cache.root)
    try:
        own = replace(cache, tiers=())  # what is attached only is not brought yet
        bringer = Bringer(made.shelf, own, aliases, attach, link)
        names = {one.key: parcel.out.remote for parcel in made.parcels for one in parcel.wanted}
        places = elsewhere.by_key(names, repository.remotes, repository.default, project)
        wanted = [one for parcel in made.parcels for one in parcel.wanted]
        result = bringer.bring(wanted, remotes=places, progress=progress)
    finally:
        aliases.close()
    taken = Taken({}, result, list(made.rows))
    lost = {loss.wanted.key: loss for loss in result.lost}
    before = {one.path: one for one in tracked if one.step is None}
    with cache.writer() as writer:
        for parcel in made.parcels:
            losses = [(one.path, lost[one.key]) for one in parcel.wanted if one.key in lost]
            if losses:
                taken.rows += [Row("data", path, one.state, one.where) for path, one in losses]
                continue
            taken.stored[parcel.out.path] = _stored(project, parcel, result, writer)
    done: State = "attached" if attach else "imported"
    for parcel in made.parcels:
        if (stored := taken.stored.get(parcel.out.path)) is None:
            continue
        if parcel.out.step is not None:
            words = f"made by {parcel.out.step}"
            taken.rows.append(Row("data", parcel.out.path, done, words))
            continue
        try:
            pointer = _pointer(project, parcel.out, stored, found)
            changed = _write(project, pointer, before.get(pointer.path), force=force)
        except (Refused, MlopsError) as error:
            taken.rows.append(Row("data", parcel.out.path, "refused", str(error)))
            continue
        words = (
            f"links of DVC lie there: dvc unprotect {pointer.path}"
            if _links(project, parcel)
            else ""
        )
        taken.rows.append(Row("data", pointer.path, done if changed else "unchanged", words))
    return taken


def _links(project: Path, parcel: Parcel) -> bool:
    """Return whether DVC made symbolic links into its cache instead of files (cache.type)."""
    place = project / parcel.out.path
    return place.is_symlink() or (
        bool(parcel.listed) and (project / parcel.wanted[0].path).is_symlink()
    )


def _stored(project: Path, parcel: Parcel, result: Result, writer: BatchWriter) -> Stored:
    if parcel.listed is None:
        (one,) = parcel.wanted
        got = result.got[one.key]
        return Stored(got.digest, "file", got.size, 1)
    got_by_path: dict[str, Got] = {
        listed.path: result.got[one.key]
        for listed, one in zip(parcel.listed, parcel.wanted, strict=True)
    }
    return plant(parcel.listed, got_by_path, at=project / parcel.out.path, writer=writer)


def _pointer(project: Path, out: Out, stored: Stored, found: Survey) -> Pointer:
    repository = found.repository
    kept = out.remote if out.remote in repository.remotes else None
    return Pointer(
        out.path,
        stored.digest,
        stored.kind,
        stored.size,
        stored.files,
        executable=stored.kind == "file" and (out.executable or is_executable(project / out.path)),
        remote=kept,
        push=out.push,
        pin=None if out.pin is None else {**out.pin, "digest": stored.digest},
    )


def _write(project: Path, pointer: Pointer, before: Tracked | None, *, force: bool) -> bool:
    if before is not None and before.digest != pointer.digest and not force:
        raise Refused(pointer.path, f"{pointer.file} says other bytes; --force goes back to DVC's")
    place = project / pointer.path
    if os.path.lexists(project / pointer.file) and (project / pointer.file).is_dir():
        raise Refused(pointer.path, f"{pointer.file} is a folder")
    # before the pointer: a crash between the two must not leave data that `git add .` takes
    gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(place.name)])
    return write_pointer(project, pointer)
