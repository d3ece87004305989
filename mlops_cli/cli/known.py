"""Names that the shell may complete: models, versions, aliases, tracked data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.registry.alias import TAG as EVENT
from mlops_cli.registry.version import TAG as VERSION
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git, find_root


def completed(incomplete: str) -> list[str]:
    """Return the models, versions, aliases and tracked data whose names begin so."""
    git = _here()
    if git is None:
        return []
    files = git.run("ls-files", "-z", check=False).split("\0")
    data = [one.removesuffix(".mlops") for one in files if one.endswith(".mlops")]
    return _begun([*_named(git, versions=True, aliases=True), *data], incomplete)


def models(incomplete: str) -> list[str]:
    """Return the models, versions and aliases whose names begin so."""
    git = _here()
    return _begun(_named(git, versions=True, aliases=True), incomplete) if git else []


def versions(incomplete: str) -> list[str]:
    """Return the models and versions whose names begin so."""
    git = _here()
    return _begun(_named(git, versions=True), incomplete) if git else []


def aliases(incomplete: str) -> list[str]:
    """Return the aliases, as delay@production, whose names begin so."""
    git = _here()
    return [name for name in _begun(_named(git, aliases=True), incomplete) if "@" in name]


def roles(incomplete: str) -> list[str]:
    """Return the aliases alone, as production: those with events, or gates in pipeline.yaml."""
    git = _here()
    if git is None:
        return []
    found = [name.partition("@")[2] for name in _named(git, aliases=True) if "@" in name]
    for section in _declared(git).values():
        found += section.aliases
    return _begun(found, incomplete)


def sections(incomplete: str) -> list[str]:
    """Return the models of pipeline.yaml whose names begin so."""
    git = _here()
    return _begun(_declared(git), incomplete) if git else []


def runs(incomplete: str) -> list[str]:
    """Return the newest runs whose ids begin so."""
    from mlops_cli.ledger.index import open_index

    git = _here()
    if git is None:
        return []
    with open_index(git) as index:
        return list(index.run_ids(limit=20, prefix=incomplete))


def _here() -> Git | None:
    root = find_root(Path.cwd())
    return Git(root) if root else None


def _named(git: Git | None, *, versions: bool = False, aliases: bool = False) -> list[str]:
    found = []
    for tag in tags.names(git, "mlops/") if git else ():
        if match := VERSION.fullmatch(tag):
            found += [match["model"], *([f"{match['model']}@v{match['number']}"] * versions)]
        elif aliases and (match := EVENT.fullmatch(tag)):
            found += [match["model"], f"{match['model']}@{match['alias']}"]
    return found


def _declared(git: Git) -> Mapping[str, Any]:
    """Return the models of pipeline.yaml; of a file that cannot be read nothing is offered."""
    from mlops_cli.pipeline.reading.load import load

    try:
        return load(git.root).models
    except MlopsError:
        return {}


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
