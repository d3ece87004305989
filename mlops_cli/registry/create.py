"""A version is given its number: the next one, once in the world, one digest one version."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    git = registry.git
    check_name(model)
    commit = git.head().commit if at == "HEAD" else at
    digest = Digest.parse(payload["digest"])
    if payload["format"] not in allowed:
        raise StateRefused(
            f"a model of format {payload['format']!r} may not be registered",
            code="format-not-allowed",
            hint=f"allowed are {', '.join(allowed)}",
        )
    for _ in range(TRIES):
        refresh(registry, f"{model}/")
        same, numbers = registry.given(model, digest)
        if same:
            return same[0], False
        number = max(numbers, default=0) + 1
        named = {"schema": version_tags.SCHEMA, "model": model, "version": number}
        filled = plain({**payload, **named})
        name = f"mlops/{model}/v{number}"
        when = datetime.fromisoformat(filled["created"])
        subject = f"{model} v{number}"
        made = tagging.make(git, name, filled, subject=subject, time=when, target=commit or "HEAD")
        send_ledger(registry)
        if tagging.place(git, name, made, remote=registry.remote):
            return Version(model, number, filled, name, made, str(commit)), True
    raise contended(f"mlops/{model}")


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
