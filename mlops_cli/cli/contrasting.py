"""Two versions of a model, and what differs in what they were made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.things import Names, Thing
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger import ancestry, lineage
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.registry import Registry

if TYPE_CHECKING:
    from mlops_cli.ledger.index import Index
    from mlops_cli.project import Project
    from mlops_cli.registry.version import Version

PREVIOUS = "previous"


def contrast(
    project: Project, name: str, other: str, cwd: Path, *, until: str | None = None
) -> dict[str, Any]:
    """Return what changed from `other` ("@previous", "v3", "@staging", "delay@v3") to `name`.

    Raises NotFound ("no-previous", …), UsageError ("not-a-version").
    """
    registry = Registry(project.git)
    with open_index(project.git) as index:
        names = Names(project.git, index, registry, project.root, cwd, until)
        thing = names.thing(name)
        if thing.version is None:
            raise UsageError(
                f"{name!r} is no version of a model",
                code="not-a-version",
                hint="--diff compares versions: mlops lineage MODEL@production --diff @previous",
            )
        after = thing.version
        before = _other(names, registry, thing, after, other)
        old, new = (_making(index, each, until) for each in (before, after))
    found = ancestry.changes(old, new)
    return {
        "name": name,
        "at": until,
        "before": _plain(before, old),
        "after": _plain(after, new),
        "changes": [
            {"aspect": one.aspect, "name": one.name, "before": one.before, "after": one.after}
            for one in found
        ],
        "same": [name for name in ancestry.ASPECTS if not any(c.aspect == name for c in found)],
    }


def _other(names: Names, registry: Registry, thing: Thing, after: Version, other: str) -> Version:
    word = other.removeprefix("@")
    if word == PREVIOUS:
        return _previous(registry, thing, after)
    model, sign, which = other.rpartition("@")
    found = names.version(model if sign and model else after.model, which if sign else word)
    assert found.version is not None
    return found.version


def _previous(registry: Registry, thing: Thing, after: Version) -> Version:
    """Return what the alias meant before, or, of a version, the one numbered before."""
    if thing.alias is not None:
        numbers = [event.version for event in registry.events(after.model, thing.alias)]
        last = max(at for at, number in enumerate(numbers) if number == after.number)
        first = last
        while first > 0 and numbers[first - 1] == after.number:
            first -= 1
        earlier = [number for number in numbers[:first] if number is not None]
    else:
        earlier = [number for number in registry.numbers(after.model) if number < after.number]
    if not earlier:
        what = f"{after.model}@{thing.alias}" if thing.alias else after.name
        raise NotFound(
            f"nothing was before {what}",
            code="no-previous",
            hint=f"mlops models history {after.model}",
        )
    return registry.version(after.model, earlier[-1])


def _making(index: Index, version: Version, until: str | None) -> ancestry.Making:
    starts = lineage.start_of(
        index, version.model, version.number, digest=str(version.digest), run=version.run
    )
    made = lineage.making(index, *starts, until=until)
    return ancestry.making(made, index.get, version.payload.get("metrics") or {})


def _plain(version: Version, made: ancestry.Making) -> dict[str, Any]:
    return {
        "name": version.name,
        "digest": str(version.digest),
        "run": version.run,
        "created": version.payload.get("created"),
        "commits": list(made.commits),
    }
