"""What a server tells about itself: the versions it serves, and its counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.serving import metrics
from mlops_cli.serving.metrics import series
from mlops_cli.serving.router import Router, Variant

SCHEMA = "mlops.serving/1"


def version(router: Router, counts: Mapping[str, float], facts: Mapping[str, Any]) -> Any:
    """Return what `/version` answers; `generation` is the proof for whoever deployed."""
    return {
        "schema": SCHEMA,
        "environment": router.environment,
        **_variant(router.champion),
        "since": router.since,
        "generation": router.generation,
        "challengers": [_variant(item) for item in (*router.canaries, *router.shadows)],
        "requests": metrics.asked(counts),
        **facts,
    }


def exposition(router: Router | None, counts: Mapping[str, float]) -> bytes:
    """Return what `/metrics` answers: the counts, and one line for each model that is served."""
    lines = dict(counts)
    for variant in router.variants if router is not None else ():
        model = variant.model
        labels = {"model": model.name, "version": str(model.version), "variant": variant.role}
        lines[series("mlops_model_info", **labels, digest=model.digest)] = 1.0
    return metrics.render(lines)


def _variant(variant: Variant) -> dict[str, Any]:
    model = variant.model
    about: dict[str, Any] = {
        "model": model.name,
        "version": model.version,
        "digest": model.digest,
        "bundle": model.bundle,
    }
    if variant.role != "champion":
        about |= {"mode": variant.role, "share": variant.share}
    return about
