"""What is to be brought of each output, and what cannot be: found before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.integrations.dvc import elsewhere
from mlops_cli.integrations.dvc.outs import Listed, Out, Refused
from mlops_cli.integrations.dvc.row import Row, State
from mlops_cli.integrations.dvc.shelf import Shelf, Wanted, read_listing, wanted_of
from mlops_cli.integrations.dvc.survey import Survey
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Parcel:
    """One output with the bytes that it stands for."""

    out: Out
    listed: tuple[Listed, ...] | None
    wanted: tuple[Wanted, ...]


@dataclass(slots=True)
class Plan:
    """What is to be brought, and what cannot be."""

    shelf: Shelf
    parcels: list[Parcel] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files that is."""
        return sum(len(parcel.wanted) for parcel in self.parcels)

    def absent(self) -> dict[str, int]:
        """Return how many files of each output are neither in DVC's cache nor in the workspace."""
        return {
            parcel.out.path: count
            for parcel in self.parcels
            if (count := sum(not any(self.shelf.candidates(one)) for one in parcel.wanted))
        }


def plan(
    project: Path,
    found: Survey,
    *,
    tracked: Iterable[Tracked],
    ask: bool = True,
) -> Plan:
    """Return what is to be brought. With `ask`, DVC's remotes are asked for lists of folders that
    its cache lacks; nothing else is."""
    made = Plan(Shelf(project, found.repository.cache))
    known = list(tracked)
    for out in found.outs:
        try:
            parcel = _parcel(project, found, out, made.shelf, ask=ask)
            _free(out, known)
        except Refused as refused:
            state: State = "corrupt" if "damaged" in refused.why else "refused"
            made.rows.append(Row("data", out.path, state, refused.why))
            continue
        except LookupError as absent:
            made.rows.append(Row("data", out.path, "missing", str(absent.args[0])))
            continue
        made.parcels.append(parcel)
    return made


def _parcel(project: Path, found: Survey, out: Out, shelf: Shelf, *, ask: bool) -> Parcel:
    if out.sum is None and out.listed is None:
        raise Refused(out.path, f"{out.source} names no md5 of it; dvc commit does")
    if not out.cached and out.step is None:
        raise Refused(out.path, "it is not in DVC's cache (cache: false); git keeps it, or nobody")
    listed = out.listed
    if listed is None and out.sum is not None and out.sum.folder:
        listed = shelf.listing(out.sum)
        if listed is None and ask and (place := _elsewhere(project, found, out)):
            data = place.listing(out.sum)
            listed = None if data is None else read_listing(data, out.sum)
        if listed is None:
            raise LookupError(f"the list of its files ({out.sum.name}) is not in DVC's cache")
    return Parcel(out, listed, tuple(wanted_of(out, listed)))


def _elsewhere(project: Path, found: Survey, out: Out) -> elsewhere.Elsewhere | None:
    repository = found.repository
    name = out.remote or repository.default
    remote = repository.remotes.get(name) if name else None
    if remote is None or not elsewhere.readable(remote):
        return None
    return elsewhere.open_elsewhere(remote, project)


def _free(out: Out, known: Sequence[Tracked]) -> None:
    """Raise Refused where something else stands for the path already."""
    for one in known:
        if one.path == out.path:
            if (one.step is None) != (out.step is None):
                raise Refused(out.path, f"{one.source} stands for it already")
            continue
        if (one.path + "/").startswith(out.path + "/") or (out.path + "/").startswith(
            one.path + "/"
        ):
            raise Refused(out.path, f"it would overlap {one.path}, which {one.source} stands for")
    if "\n" in out.path:
        raise Refused(out.path, "no line of .gitignore can name it")
