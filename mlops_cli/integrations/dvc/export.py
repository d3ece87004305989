"""Tracked data as DVC wants it: `.dvc` files and objects in its cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import MlopsError
from mlops_cli.integrations.dvc import text
from mlops_cli.integrations.dvc.give import Given, Giver
from mlops_cli.integrations.dvc.outs import Out
from mlops_cli.integrations.dvc.repository import Repository, open_repository
from mlops_cli.integrations.dvc.row import Row, State
from mlops_cli.progress import SILENT, Progress
from mlops_cli.workspace.ignore import NAME as IGNORE
from mlops_cli.workspace.tracked import Tracked

_FRESH = {
    ".dvc/config": "",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
}


def repository_for(project: Path, *, create: bool) -> Repository:
    """Return the DVC repository of the project; `create` makes one where there is none."""
    if create and not (project / ".dvc").is_dir():
        for name, words in _FRESH.items():
            fsio.write_atomic(project / name, words)
        if not (project / ".dvcignore").exists():
            ours = project / IGNORE
            words = ours.read_text(encoding="utf-8") if ours.exists() else ""
            fsio.write_atomic(project / ".dvcignore", "/.mlops/cache\n" + words)
    if not (project / ".dvc").is_dir():
        return Repository(project, "", project / ".dvc/cache", {}, None)
    return open_repository(project, ".")


def apart(project: Path, tracked: Sequence[Tracked]) -> tuple[list[Tracked], list[Row]]:
    """Return what may be exported, and a row for each path in a DVC repository further inside."""
    fit, rows = [], []
    for one in tracked:
        folder = one.path.rpartition("/")[0]
        while folder and not (project / folder / ".dvc").is_dir():
            folder = folder.rpartition("/")[0]
        if folder:
            why = f"it lies in the DVC repository {folder}"
            rows.append(Row("data", one.path, "refused", why))
        else:
            fit.append(one)
    return fit, rows


def export(
    project: Path,
    tracked: Sequence[Tracked],
    *,
    giver: Giver,
    outs: Sequence[Out],
    progress: Progress = SILENT,
) -> tuple[dict[str, Given], list[Row]]:
    """Make DVC have all of `tracked`, and write the `.dvc` files of what no step makes.

    `outs` is what DVC tracks already. Return what was given, by path, and a row for each.
    """
    given: dict[str, Given] = {}
    rows: list[Row] = []
    theirs = {out.path: out for out in outs}
    with progress.task("exporting", total=len(tracked), unit="paths") as task:
        for one in tracked:
            try:
                given[one.path] = _give(one, giver)
                if one.step is None:
                    rows.append(_file(project, one, given[one.path], theirs))
            except MlopsError as error:
                state: State = "corrupt" if error.exit_code == 40 else "missing"
                rows.append(Row("data", one.path, state, error.message))
            finally:
                giver.close()
            task.advance()
    return given, [*rows, *giver.rows]


def _give(one: Tracked, giver: Giver) -> Given:
    if one.kind == "tree":
        return giver.tree(one.digest, one.path)
    md5, size = giver.file(one.digest)
    return Given(md5, size, executable=one.executable)


def _file(project: Path, one: Tracked, given: Given, theirs: dict[str, Out]) -> Row:
    """Write the `.dvc` file of one path, keeping what else stands in it."""
    out = theirs.get(one.path)
    if out is not None and out.step is not None:
        return Row("data", one.path, "refused", f"the DVC stage {out.step} makes it")
    for path, other in theirs.items():
        if path != one.path and _overlap(path, one.path):
            return Row("data", one.path, "refused", f"{other.source} tracks {path}")
    name = out.source if out else f"{one.path}.dvc"
    before = text.mapping(text.read(project / name, name=name), name=name)
    sum_ = out.sum if out else None
    if sum_ is not None and sum_.name == given.md5 and not sum_.legacy:
        return Row("data", one.path, "unchanged", name)
    if before.get("deps") or before.get("cmd"):
        return Row("data", one.path, "refused", f"{name} says where it is from; dvc update it")
    entry = given.entry(one.path.rpartition("/")[2])
    entry["path"] = entry.pop("path")  # last, as DVC has it
    if not one.push:
        entry["push"] = False
    outs = [
        {**_kept(item), **entry} if item.get("path") == entry["path"] else item
        for item in before.get("outs") or [{"path": entry["path"]}]
    ]
    fsio.write_atomic(project / name, text.dump({**before, "outs": outs}))
    return Row("data", one.path, "exported", name)


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """Return what a person said of an output: all but what describes its bytes."""
    described = ("md5", "size", "nfiles", "isexec", "hash", "files", "path")
    return {key: value for key, value in item.items() if key not in described}


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other + "/") or other.startswith(one + "/")
