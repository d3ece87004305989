"""Who answers: the champion, or a canary for its share; and who only listens, the shadows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from mlops_cli.errors import StateRefused
from mlops_cli.serving.lookup import Lookup
from mlops_cli.serving.model import Model

Role = Literal["champion", "canary", "shadow"]


@dataclass(frozen=True, slots=True)
class Variant:
    """A model and its part in the traffic; `share` is that of a canary, 0 to 1."""

    role: Role
    model: Model
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Router:
    """What is served at one moment; swapped as a whole, never changed."""

    environment: str
    generation: str
    since: str
    champion: Variant
    canaries: tuple[Variant, ...] = ()
    shadows: tuple[Variant, ...] = ()
    lookup: Lookup | None = None  # of features that requests leave out

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.champion, *self.canaries, *self.shadows)


def choose(router: Router, key: str) -> Variant:
    """Return the variant that answers `key`: the same key, the same variant, on every server."""
    if router.canaries:
        point = position(f"{router.environment}/{key}")
        for canary in router.canaries:
            if point < canary.share:
                return canary
            point -= canary.share
    return router.champion


def position(key: str) -> float:
    """Return where `key` falls in [0, 1), uniformly and for ever."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def named(router: Router, name: str, version: str | None) -> Variant | None:
    """Return the one variant with this name and version; None lets the router choose.

    Raises LookupError when nothing of that name, or not that version, is served.
    """
    served = [variant for variant in router.variants if variant.model.name == name]
    if not served:
        raise LookupError(f"no model {name!r} is served here")
    if version is not None:
        for variant in served:
            if version in (str(variant.model.version), f"v{variant.model.version}"):
                return variant
        raise LookupError(f"version {version} of {name!r} is not served here")
    return None if router.champion.model.name == name else served[0]


def check(router: Router) -> None:
    """Refuse a challenger that needs inputs which the requests for the champion do not carry."""
    given = {column.name: column for column in router.champion.model.schema.inputs}
    for variant in (*router.canaries, *router.shadows):
        for column in variant.model.schema.inputs:
            have = given.get(column.name)
            if have is None or have.dtype != column.dtype or have.nullable > column.nullable:
                raise StateRefused(
                    f"challenger {variant.model.name} v{variant.model.version} takes "
                    f"{column.name!r} ({column.dtype}), which requests for the champion "
                    "do not carry",
                    code="challenger-inputs",
                    hint="compare it offline with `mlops promote`, or make it the champion",
                )
        if variant.model.schema.outputs != router.champion.model.schema.outputs:
            raise StateRefused(
                f"challenger {variant.model.name} v{variant.model.version} gives other outputs "
                "than the champion",
                code="challenger-outputs",
                hint="compare it offline with `mlops promote`, or make it the champion",
            )
    if sum(variant.share for variant in router.canaries) > 1:
        raise StateRefused(
            "the shares of the canaries add up to more than 1",
            code="canary-shares",
            hint="lower `share` of the challengers in pipeline.yaml",
        )
