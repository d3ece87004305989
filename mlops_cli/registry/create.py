"""A version is given its number: the next one, once in the world, one digest one version."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StateRefused
from mlops_cli.ledger.record import plain
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.formats import ALLOWED
from mlops_cli.registry.version import Version, check_name
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import exchange, tagging, tagsync

if TYPE_CHECKING:
    from mlops_cli.registry.reader import Reader

TRIES = 50
AT_ONCE = 200  # tags of one push
_Key = tuple[str, Digest]  # a model and the digest of its file


def create(
    registry: Reader,
    model: str,
    payload: Mapping[str, Any],
    *,
    allowed: Collection[str] = ALLOWED,
    at: str = "HEAD",
) -> tuple[Version, bool]:
    """Register `payload` as the next version of `model`, or find the one of the same digest;
    return it, and whether it is new.

    Model, number and schema are filled in; `payload` must hold digest, format and created (an
    ISO time). git gives the number: of many at once each gets its own, or all get the one
    version when they bring the same model. `allowed` are the formats that a policy lets in,
    `at` is the commit that the version belongs to.
    Raises StateRefused ("format-not-allowed", "no-commit", "no-identity"), IntegrityError
    ("tag-taken"), OutsideWorld ("registry-unreachable").
    """
    admit(payload, allowed)
    (made,) = create_all(registry, [(model, payload)], at=at)
    return made


def admit(payload: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Confirm that a model may be registered. Raises StateRefused ("format-not-allowed")."""
    if payload["format"] not in allowed:
        raise StateRefused(
            f"a model of format {payload['format']!r} may not be registered",
            code="format-not-allowed",
            hint=f"allowed are {', '.join(allowed)}",
        )


def create_all(
    registry: Reader, wanted: Sequence[tuple[str, Mapping[str, Any]]], *, at: str = "HEAD"
) -> list[tuple[Version, bool]]:
    """Do what `create` does for many models and payloads, whose formats were let in.

    Hundreds take their numbers at once, or none of them does: it costs the remote no more than
    one, and who was cut short goes on.
    """
    commit = registry.git.head().commit if at == "HEAD" else at
    keys = [(check_name(model), Digest.parse(payload["digest"])) for model, payload in wanted]
    payloads: dict[_Key, Mapping[str, Any]] = {}
    for key, (_, payload) in zip(keys, wanted, strict=True):
        payloads.setdefault(key, payload)
    found: dict[_Key, Version] = {}
    fresh: set[_Key] = set()
    lacked: list[_Key] = []
    for _ in range(TRIES):
        lacked = [key for key in payloads if key not in found]
        if not lacked:
            break
        last = _look(registry, lacked, found)
        for batch in _batches([key for key in lacked if key not in found]):
            made = {key: _make(registry, key, payloads[key], last, commit) for key in batch}
            send_ledger(registry)
            tags = {version.tag: version.tag_id for version in made.values()}
            if not tagging.place_all(registry.git, tags, remote=registry.remote):
                break
            found |= made
            fresh |= made.keys()
    if lacked:
        raise contended(f"mlops/{lacked[0][0]}")
    given = []
    for key in keys:
        given.append((found[key], key in fresh))
        fresh.discard(key)  # of one model twice, the first made the version
    return given


def _look(registry: Reader, lacked: Sequence[_Key], found: dict[_Key, Version]) -> dict[str, int]:
    """Add the versions that are there already; return model → its last number."""
    models: dict[str, list[str]] = {}
    for model, digest in lacked:
        models.setdefault(model, []).append(digest)
    refresh(registry, f"{min(models)}/" if len(models) == 1 else "")
    last = {}
    for model, digests in models.items():
        same, numbers = registry.given(model, digests[0] if len(digests) == 1 else "")
        last[model] = max(numbers, default=0)
        for version in same:
            found.setdefault((model, version.digest), version)
    return last


def _make(
    registry: Reader,
    key: _Key,
    payload: Mapping[str, Any],
    last: dict[str, int],
    commit: str | None,
) -> Version:
    """Make the tag of the next version; nobody sees it yet."""
    model, _ = key
    number = last[model] = last[model] + 1
    filled = plain({**payload, "schema": version_tags.SCHEMA, "model": model, "version": number})
    name, when = f"mlops/{model}/v{number}", datetime.fromisoformat(filled["created"])
    subject = f"{model} v{number}"
    made = tagging.make(
        registry.git, name, filled, subject=subject, time=when, target=commit or "HEAD"
    )
    return Version(model, number, filled, name, made, str(commit))


def _batches(keys: list[_Key]) -> Iterator[list[_Key]]:
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]


def refresh(registry: Reader, prefix: str) -> None:
    """Fetch the tags under `prefix` from the remote, where there is one.

    Raises IntegrityError ("tag-taken"), OutsideWorld ("registry-unreachable").
    """
    if registry.remote is not None:
        tagsync.fetch(registry.git, registry.remote, f"mlops/{prefix}")


def send_ledger(registry: Reader) -> None:
    """Send the records that wait to the remote, where there is one.

    Raises OutsideWorld ("refs-refused", "git-failed").
    """
    if registry.remote is not None:
        exchange.send_ledger(registry.git, registry.remote, registry.branch)


def contended(name: str) -> StateRefused:
    """Return the error for a number that others kept taking."""
    return StateRefused(
        f"other processes kept creating {name}", code="git-busy", hint="run the same command again"
    )
