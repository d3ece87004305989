"""Everything that a DVC repository says, read and judged; nothing is changed, no byte is hashed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlops_cli.errors import ConfigError
from mlops_cli.integrations.dvc import gto, lock, text
from mlops_cli.integrations.dvc.files import read_file
from mlops_cli.integrations.dvc.lock import Locked
from mlops_cli.integrations.dvc.outs import Out, Refused, read_out
from mlops_cli.integrations.dvc.repository import Repository
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.integrations.dvc.stages import Stage, read_stages
from mlops_cli.vcs.repo import Git


@dataclass(slots=True)
class Survey:
    """What was found. `locks` goes by the address of the stage."""

    repository: Repository
    outs: list[Out] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    locks: dict[str, Locked] = field(default_factory=dict)
    metrics: set[str] = field(default_factory=set)  # what dvc.yaml names as metrics at its top
    ignores: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def survey(project: Path, git: Git, repository: Repository) -> Survey:
    """Return what the DVC repository holds; files that cannot be read become rows."""
    found = Survey(repository)
    for file in _files(project, git, repository):
        name = file.rpartition("/")[2]
        try:
            if name == ".dvcignore":
                found.ignores.append(file)
            elif name == "dvc.yaml":
                _pipeline(project, file, found)
            elif name != lock.FILE:
                _data(file, text.read(project / file, name=file), found)
        except ConfigError as error:
            found.rows.append(Row("file", file, "refused", error.message))
    found.rows += gto.tags(git)
    found.outs = list(_apart(found.outs, found.rows))
    return found


def _files(project: Path, git: Git, repository: Repository) -> list[str]:
    prefix = repository.prefix
    listing = git.run(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--",
        *(f":(glob){prefix}**/{name}" for name in ("*.dvc", "dvc.yaml", "Dvcfile", ".dvcignore")),
        env={"GIT_LITERAL_PATHSPECS": "0"},
    )  # fmt: skip
    names = sorted({name for name in listing.split("\0") if name})
    return [
        name
        for name in names
        if name.rpartition("/")[2] != ".dvc"
        and (project / name).is_file()
        and not _nested(project, prefix, name)
    ]


def _nested(project: Path, prefix: str, name: str) -> bool:
    """Return whether the file belongs to a DVC repository inside of this one."""
    folder = name.rpartition("/")[0]
    while folder and folder + "/" != prefix:
        if (project / folder / ".dvc").is_dir() or folder.rpartition("/")[2] == ".dvc":
            return True
        folder = folder.rpartition("/")[0]
    return False


def _data(file: str, value: object, found: Survey) -> None:
    for item in read_file(file, value):
        if isinstance(item, Refused):
            found.rows.append(Row("data", item.name, "refused", item.why))
        elif isinstance(item, Out):
            found.outs.append(item)
        else:
            stage, locked = item
            found.stages.append(stage)
            found.locks[stage.address] = locked
            _made(stage, locked, found)


def _pipeline(project: Path, file: str, found: Survey) -> None:
    values = text.mapping(text.read(project / file, name=file), name=file)
    beside = os.path.join(file.rpartition("/")[0], lock.FILE)
    locks: dict[str, Locked] = {}
    try:
        locks = lock.read_lock(text.read(project / beside, name=beside), name=beside)
    except ConfigError as error:
        found.rows.append(Row("file", beside, "refused", error.message))
    for path in text.listing(values.get("metrics"), name=file):
        found.metrics.add(os.path.normpath(os.path.join(file.rpartition("/")[0], str(path))))
    found.rows += gto.artifacts(file, values.get("artifacts"))
    if values.get("datasets"):
        found.rows.append(Row("file", file, "noted", "its datasets are not read"))
    for item in read_stages(project, file, values):
        if isinstance(item, Refused):
            found.rows.append(Row("step", item.name, "refused", item.why))
            continue
        found.stages.append(item)
        if locked := locks.get(item.name):
            found.locks[item.address] = locked
            _made(item, locked, found)


def _made(stage: Stage, locked: Locked, found: Survey) -> None:
    """Take the outputs of a stage that its lock knows and the stage still has."""
    declared = {made.path: made for made in stage.outs}
    for values in locked.outs:
        try:
            out = read_out(values, base=stage.wdir, source=stage.file, step=stage.address)
        except Refused as refused:
            found.rows.append(Row("data", refused.name, "refused", refused.why))
            continue
        if made := declared.get(out.path):
            options = made.options
            found.outs.append(
                replace(
                    out,
                    cached=options.get("cache") is not False,
                    push=options.get("push") is not False,
                    remote=options.get("remote") or out.remote,
                )
            )


def _apart(outs: Iterable[Out], rows: list[Row]) -> Iterable[Out]:
    """Yield the outs by path; one that lies in another, or stands there twice, is refused."""
    before: Out | None = None
    for out in sorted(outs, key=lambda one: (one.path + "/", one.source)):
        if before is not None and (out.path + "/").startswith(before.path + "/"):
            why = f"{before.source} holds {before.path} already"
            rows.append(Row("data", out.path, "refused", why))
            continue
        before = out
        yield out
