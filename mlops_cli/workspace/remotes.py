"""Which remotes the settings name, and which of them a command means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.config import Settings
from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.store.remotes.url import absolute_url, remote_id
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, remembered

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Named:
    """A remote by the name a person gave it; `options` are what `open_remote` understands."""

    name: str
    url: str
    options: Mapping[str, Any]
    default: bool


def remotes(settings: Settings) -> list[Named]:
    """Return all remotes of the settings, by name. Raises ConfigError ("remote-without-url")."""
    found = []
    groups = settings.group("remotes")
    chosen = settings.get("remote.default") or (next(iter(groups)) if len(groups) == 1 else None)
    for name, values in sorted(groups.items()):
        url = values.get("url")
        if not url:
            raise ConfigError(
                f"the remote {name!r} has no url",
                code="remote-without-url",
                hint=f"mlops remote add {name} URL --force, or mlops remote remove {name}",
            )
        found.append(Named(name, str(url), _options(values), name == chosen))
    return found


def choose(settings: Settings, name: str | None) -> Named:
    """Return the remote called `name`, or the default; a single remote is the default.

    Raises NotFound ("unknown-remote", "no-remote").
    """
    known = remotes(settings)
    wanted = name or settings.get("remote.default")
    for one in known:
        if one.name == wanted or (wanted is None and one.default):
            return one
    if wanted is None:
        raise none_yet(settings)
    raise NotFound(
        f"there is no remote {wanted!r}",
        code="unknown-remote",
        hint="known: " + ", ".join(one.name for one in known)
        if known
        else f"mlops remote add {wanted} URL",
    )


def none_yet(settings: Settings) -> NotFound:
    """Return the error for data that has no remote to go to."""
    known = remotes(settings)
    return NotFound(
        "there is no default remote" if known else "there is no data remote yet",
        code="no-remote",
        hint="mlops remote default NAME"
        if known
        else "mlops remote add origin s3://bucket/prefix (or a folder)",
    )


@dataclass(frozen=True, slots=True)
class Route:
    """What goes to one remote, or comes from it."""

    remote: Named
    tracked: tuple[Tracked, ...]


def routes(settings: Settings, tracked: Sequence[Tracked], name: str | None = None) -> list[Route]:
    """Return where each of `tracked` is kept: the remote it names, else `name` or the default.

    A path that names its remote goes nowhere else; nothing at all goes nowhere where there is no
    default. Raises NotFound ("unknown-remote", "no-remote").
    """
    bound: dict[str, list[Tracked]] = {}
    free: list[Tracked] = []
    for one in tracked:
        (bound.setdefault(one.remote, []) if one.remote else free).append(one)
    found: dict[str, tuple[Named, list[Tracked]]] = {}
    if free or name or (not bound and any(one.default for one in remotes(settings))):
        chosen = choose(settings, name)
        found[chosen.name] = (chosen, free)
    for own, members in bound.items():
        found.setdefault(own, (choose(settings, own), []))[1].extend(members)
    return [Route(remote, tuple(members)) for remote, members in found.values()]


def astray(settings: Settings, tracked: Sequence[Tracked], name: str | None) -> list[Tracked]:
    """Return those of `tracked` that no remote is for: they name none, and there is no default."""
    if name or any(one.default for one in remotes(settings)):
        return []
    return [one for one in tracked if one.remote is None]


def connect(named: Named, root: Path) -> Remote:
    """Return the open remote; it is not asked anything yet."""
    from mlops_cli.store.remotes.kinds import open_remote

    return open_remote(named.url, named.options, root=root)


def recall(named: Named, root: Path, cache_root: Path) -> RemoteIndex:
    """Return what is remembered of the remote from the last time, without network."""
    url = absolute_url(named.url, root)
    return remembered(memory(cache_root, remote_id(url)), url)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in values.items():
        if key.startswith("fsspec."):
            options.setdefault("fsspec", {})[key.removeprefix("fsspec.")] = value
        elif key != "url":
            options[key] = value
    return options
