"""The projects that share a cache: each leaves its name there, so that a sweep asks it first."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from mlops_cli import encode, fsio
from mlops_cli.errors import StateRefused
from mlops_cli.store.objects import listing

SCHEMA = "mlops.project/1"


def found(cache_root: Path) -> None:
    """Make the folder of a cache that a group shares: what is made inside belongs to its group,
    which may write there, whatever the umask of who makes it. One that is there is left as it is.

    Raises OutsideWorld ("cannot-write").
    """
    if not cache_root.exists():
        with fsio.translated(cache_root):
            fsio.make_folder(cache_root)
            cache_root.chmod(cache_root.stat().st_mode & 0o777 | fsio.SHARED)


def register(cache_root: Path, project: Path) -> None:
    """Leave the name of `project` in a cache outside of it; a cache that may only be read keeps
    no names. Costs one look when it has been left before."""
    card = card_of(cache_root, project)
    if not card.exists():
        text = encode.readable_json({"schema": SCHEMA, "root": str(project)})
        with contextlib.suppress(OSError):
            fsio.make_folder(card.parent)
            temporary = fsio.temporary_beside(card)
            temporary.write_text(text)
            fsio.publish(temporary, card)


def registered(cache_root: Path) -> list[Path]:
    """Return the roots of all projects that left their names.

    Raises StateRefused ("project-unreadable") for a name that cannot be read.
    """
    folder = cache_root / "projects"
    found = []
    for name in listing(folder):
        if not name.endswith(".json"):
            continue
        try:
            value = encode.parse_json((folder / name).read_bytes(), source=name)
            if value["schema"] != SCHEMA:
                raise ValueError(value["schema"])
            found.append(Path(value["root"]))
        except Exception as exc:
            raise unreadable(folder / name, "its name cannot be read") from exc
    return found


def unreadable(card: Path, why: str, project: Path | None = None) -> StateRefused:
    """Return the error for a project whose needs cannot be asked: nothing may be removed then."""
    return StateRefused(
        f"the project {project or card} shares this cache, and {why}; nothing was removed",
        code="project-unreadable",
        hint=f"run gc as a user who can read it; if the project is gone for good: rm {card}",
        details={"project": str(project or ""), "file": str(card)},
    )


def card_of(cache_root: Path, project: Path) -> Path:
    """Return the file by which the cache knows `project`."""
    name = hashlib.sha256(str(project).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_root / "projects" / f"{name}.json"
