"""What a step needs, endures and promises, whatever its kind."""

from __future__ import annotations

from typing import Any

from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.steps import StepDef
from mlops_cli.pipeline.model.training import Train
from mlops_cli.pipeline.paths import clean


def promise(definition: StepDef | Train) -> dict[str, Any]:
    """Return what a reproduction may ask of a step."""
    return {"determinism": definition.determinism, "tolerance": dict(definition.tolerance)}


def endurance(definition: StepDef | Train) -> dict[str, Any]:
    """Return what a step needs and endures; in no key, as it changes no byte of an output."""
    found = promise(definition)
    if definition.retries:
        found["retries"] = {
            "times": definition.retries.times,
            "on": list(definition.retries.on),
            "backoff": definition.retries.backoff,
        }
    if definition.resources:
        found["resources"] = to_plain(definition.resources)
    if definition.environment:
        found["environment"] = {"kind": definition.environment.kind} | to_plain(
            definition.environment
        )
    if definition.checkpoint:
        found["checkpoint"] = clean(definition.checkpoint)
    return found
