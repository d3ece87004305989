"""Any repository opened for reading: the project around a folder, or one behind a git URL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import config
from mlops_cli.project import open_project

if TYPE_CHECKING:
    from mlops_cli.workspace.browse import Browser


def opened(
    repo: str | Path | None,
    revision: str | None,
    *,
    start: Path,
    environment: Mapping[str, str],
    home: Path,
) -> Browser:
    """Return what `repo` has at `revision`.

    A folder, or None for `start`, is the project around it; its work tree's pointers count when
    `revision` is None. Anything else is a git URL, whose data is kept in a cache of this user.
    Raises MlopsError.
    """
    from mlops_cli.workspace import foreign
    from mlops_cli.workspace.browse import Browser
    from mlops_cli.workspace.reach import Reach
    from mlops_cli.workspace.supply import Supply
    from mlops_cli.workspace.trust import trust

    folder = start / Path(repo or ".").expanduser()
    text = str(repo or "")
    root = config.find_root(folder.resolve()) if "://" not in text and folder.is_dir() else None
    if root is not None or not text:
        settings = config.load(root, environment=environment, home=home)
        project = open_project(folder.resolve(), settings)
        own = foreign.open_own(project.root, project.git, settings, revision)
        supply = Supply(str(project.root), project.cache, settings, project.root, _now)
        return Browser(own, supply)
    from mlops_cli.store.cache import open_cache

    kept = config.user_cache(home=home, environment=environment)
    settings = config.load(config.find_root(start), environment=environment, home=home)
    trusted = trust(settings, environment)
    reach = Reach(open_cache(kept / "objects"), start, kept / "git", home, _now, trusted)
    found, supply = reach.open(text, revision)
    return Browser(found, supply)


def _now() -> datetime:
    return datetime.now(UTC)
