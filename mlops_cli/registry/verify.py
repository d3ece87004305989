"""Every tag of the registry read again: payloads that fit their names, chains without a gap, and
what the records of the ledger knew of them."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.registry.alias import AliasEvent, broken, check_chain
from mlops_cli.registry.holdings import understood
from mlops_cli.registry.version import Version
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git


def verify(git: Git) -> tuple[int, dict[str, str]]:
    """Return how many tags were read, and tag → what is wrong with it."""
    checked = 0
    damaged: dict[str, str] = {}
    chains: dict[str, list[AliasEvent]] = {}
    found = tags.names(git, "mlops/")
    versions: dict[tuple[str, int], Version] = {}
    for tag in tags.read(git, found):
        try:
            one = understood(tag)
        except IntegrityError as exc:
            damaged[tag.name] = exc.message
            continue
        checked += one is not None
        if isinstance(one, AliasEvent):
            chains.setdefault(one.name, []).append(one)
        elif one is not None:
            versions[one.model, one.number] = one
    for events in chains.values():
        try:
            check_chain(sorted(events, key=lambda event: event.number))
        except IntegrityError as exc:
            damaged[str(exc.details["tag"])] = exc.message
        for event in events:
            if event.version is not None:
                version = versions.get((event.model, event.version))
                if version is None or version.digest != event.payload["digest"]:
                    damaged[event.tag] = f"it names a version of {event.model} that is not there"
    with open_index(git) as index:
        for name, why in against(index, found):
            damaged.setdefault(name, why)
    return checked, damaged


def confirm(index: Index, version: Version, event: AliasEvent | None) -> None:
    """Confirm that the ledger knew this version by this tag, and no later event of the alias.

    Raises IntegrityError ("tag-moved", "alias-chain-broken").
    """
    made = index.newest("register", model=version.model, number=version.number)
    known = {str(each["tag_object"]) for each in made if each["tag_object"]}
    if known and version.tag_id not in known:
        raise IntegrityError(
            f"the tag {version.tag} was moved: the ledger knew it as {min(known)}",
            code="tag-moved",
            hint=f"git ls-remote --tags origin {version.tag}; git cat-file -p {min(known)}",
            details={"tag": version.tag, "object": version.tag_id, "known": sorted(known)},
        )
    if event is None:
        return
    for each in index.newest("promotion", model=event.model):
        if each["alias"] != event.alias:
            continue
        if isinstance(each["event"], int) and each["event"] > event.number:
            raise broken(
                event,
                f"event {each['event']} of {event.name} is missing, and the record"
                f" {each.digest} says that it was made",
            )
        if each["event"] == event.number and each["tag_object"] not in (None, event.tag_id):
            raise broken(event, f"event {event.number} of {event.name} was replaced")


def against(index: Index, found: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the tags that the ledger knew and that are gone, or are others now, and why."""
    for kind in ("register", "promotion"):
        for each in index.newest(kind):
            model, last = each["model"], f"v{each['version']}"
            if kind == "promotion":
                last = f"@{each['alias']}/{each['event']}"
            name, known = f"mlops/{model}/{last}", each["tag_object"]
            if name not in found:
                yield name, f"it is not here, and the record {each.digest} says that it was made"
            elif known and found[name] and found[name] != known:
                yield name, f"it was moved: the record {each.digest} knew it as {known}"
