"""Which section of pipeline.yaml a step stands in, told by its name."""

from __future__ import annotations

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.paths import base


def names(pipeline: Pipeline) -> list[str]:
    """Return the names of all steps, and of those that stand for many, without lowering them."""
    prefixes = [
        ("data.", pipeline.data),
        ("feature.", pipeline.features),
        ("", dict.fromkeys([*pipeline.steps, *map(base, pipeline.steps)])),
        *((f"{kind}.", pipeline.train) for kind in ("dataset", "train", "evaluate")),
        ("parent.", [name for name, train in pipeline.train.items() if train.warm_start]),
        ("register.", pipeline.models),
        ("deploy.", pipeline.deployments),
        ("monitor.", pipeline.monitors),
    ]
    return [prefix + name for prefix, section in prefixes for name in section]


def section(step: str) -> tuple[str, str]:
    """Return where in pipeline.yaml the step stands: ("features", "weather_at_origin")."""
    kind, dot, name = base(step).partition(".")
    if not dot:
        return "steps", step
    sections = {
        "data": "data",
        "feature": "features",
        "register": "models",
        "deploy": "deployments",
        "monitor": "monitors",
    }
    return sections.get(kind, "train"), name
