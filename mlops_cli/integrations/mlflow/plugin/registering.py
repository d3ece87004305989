"""A version of MLflow's registry becomes a tag of ours, an alias an event: by our own doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.integrations.mlflow import artifacts, heads
from mlops_cli.integrations.mlflow.entity import Entity, File
from mlops_cli.integrations.mlflow.mlmodel import look, payload_of
from mlops_cli.integrations.mlflow.plugin.opened import Opened
from mlops_cli.integrations.mlflow.policy import guards, policy, slug
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import timestamp
from mlops_cli.registry import records
from mlops_cli.registry.create import create
from mlops_cli.registry.protected import branch
from mlops_cli.registry.registry import Registry, shared
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.patch import find

_LOGGED = re.compile(r"models:/(m-[0-9a-zA-Z]+)")
_VERSION = re.compile(r"models:/([^/@]+)/([0-9]+)")
_RUN = re.compile(r"runs:/+([^/]+)/(.+)")
_OURS = re.compile(r".*/\.mlops/mlflow/(run|logged-model)/([^/]+)/artifacts/?(.*)")


def register(opened: Opened, version: Entity) -> Version:
    """Make the tag of a version, whose facts say model and source, and its record.

    Raises StateRefused ("format-not-allowed", "no-commit"), NotFound ("missing-artifacts").
    """
    name = slug(str(version.facts["model"]))
    book = opened.book
    found = look(book.cache, _tree(opened, version))
    with open_index(book.git) as index:
        run = heads.run(index, str(version.facts.get("run")))
    rules = policy(branch(book.git, opened.settings), name)
    if found.format not in rules.formats:
        raise StateRefused(
            f"{name} may not be registered: its model is a {found.format}",
            code="format-not-allowed",
            hint=f"log it as ONNX, or say formats: [onnx, {found.format}] in models/{name}.yaml"
            " on the protected branch",
        )
    payload = payload_of(
        found,
        version,
        created=timestamp(datetime.now(UTC)),
        actor=book.actor,
        run=str(run.digest) if run else None,
    )
    made, _ = create(shared(book.git, opened.settings), name, payload, allowed=rules.formats)
    book.ledger.append(records.of(made))
    return made


def point(opened: Opened, model: str, alias: str, number: int | None) -> None:
    """Set or retire an alias that no policy guards. Raises StateRefused ("gate-closed")."""
    name, book = slug(model), opened.book
    if guards(policy(branch(book.git, opened.settings), name), alias):
        raise StateRefused(
            f"{name}@{alias} has gates",
            code="gate-closed",
            hint=f"mlops promote {name}@v{number} {alias}",
        )
    event = shared(book.git, opened.settings).move(
        name,
        alias,
        number,
        policy={},
        evidence={},
        actor=book.actor,
        reason="by MLflow's API",
        time=datetime.now(UTC),
        action="set" if number else "retire",
    )
    book.ledger.append(records.of(event))


def _tree(opened: Opened, version: Entity) -> str:
    """Return the tree of files that a source means."""
    book, source = opened.book, str(version.facts.get("source") or "")
    kind, id_, inner = "logged-model", str(version.facts.get("logged_model") or ""), ""
    if match := _VERSION.fullmatch(source):
        return str(Registry(book.git).version(slug(unquote(match[1])), int(match[2])).bundle)
    if match := _LOGGED.fullmatch(source):
        id_ = match[1]
    elif match := _RUN.fullmatch(source):
        kind, id_, inner = "run", match[1], match[2]
    elif match := _OURS.fullmatch(unquote(urlsplit(source).path)):
        kind, id_, inner = match[1], match[2], match[3]
    elif not id_:
        path = Path(unquote(urlsplit(source).path))
        if urlsplit(source).scheme not in ("", "file") or not path.is_dir():
            raise NotFound(
                f"there are no files at {source}", code="missing-artifacts", hint="log the model"
            )
        return str(ingest(path, cache=book.cache).digest)
    tree = book.tree("run" if kind == "run" else "logged-model", id_)
    entry = find(book.cache, Digest.parse(tree), inner.strip("/")) if tree and inner else None
    if tree is None or (inner and (entry is None or entry.mode != "dir")):
        raise NotFound(
            f"nothing was logged at {source}", code="missing-artifacts", hint="log the model first"
        )
    return str(entry.digest) if entry else tree


def bundle_files(opened: Opened, id_: str) -> Mapping[str, File]:
    """Return path → file of what the version `name/number` was registered with."""
    name, _, number = id_.rpartition("/")
    version = Registry(opened.book.git).version(slug(name), int(number))
    return artifacts.files_of(opened.book.cache, str(version.bundle))
