"""Models, deployments and monitors of pipeline.yaml: what they name exists."""

from __future__ import annotations

import re
from typing import Any

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.words.document import Place, refuse
from mlops_cli.pipeline.words.names import Where, fitting_metric, known

_GATE = re.compile(r"metrics\.([\w.]+)\s*(>=|<=|>|<|==)\s*[-+0-9.eE]+")
_CONDITIONS = ("performance_drop", "drift", "quality", "schedule", "new_data")


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for the first name, metric or gate that does not fit."""
    _models(pipeline, at)
    _deployments(pipeline, at)


def _models(pipeline: Pipeline, at: Where) -> None:
    for name, model in pipeline.models.items():
        known(model.source, "train.", pipeline.train, at("models", name, "from"), "the training")
        for alias, policy in model.aliases.items():
            for n, gate in enumerate(policy.gates):
                place = at("models", name, "aliases", alias, "gates", n)
                _gate(pipeline, gate, list(model.aliases), place)


def _gate(pipeline: Pipeline, gate: Any, aliases: list[str], place: Place) -> None:
    if isinstance(gate, dict):
        if "better_than" not in gate:
            raise refuse(
                place, "a gate of several words begins with better_than", code="wrong-value"
            )
        known(str(gate["better_than"]), "", aliases, place, "the alias")
        if "on" in gate:
            fitting_metric(pipeline, str(gate["on"]), place)
        return
    if not isinstance(gate, str):
        raise refuse(place, f"{gate!r} is not a gate", code="wrong-type")
    match = _GATE.fullmatch(gate.strip())
    if match:
        fitting_metric(pipeline, match[1], place)
        return
    known(gate, "", ["parity", "golden", "clean_tree", *aliases], place, "the gate")


def _deployments(pipeline: Pipeline, at: Where) -> None:
    for name, deployment in pipeline.deployments.items():
        _version(pipeline, deployment.model, at("deployments", name, "model"))
        for n, challenger in enumerate(deployment.challengers):
            _version(pipeline, challenger.model, at("deployments", name, "challengers", n, "model"))
        if deployment.features is not None:
            model = pipeline.models[deployment.model.partition("@")[0]]
            if not pipeline.train[model.source.removeprefix("train.")].dataset.features:
                raise refuse(
                    at("deployments", name, "features"),
                    f"{model.source} takes no features that a server could look up",
                    code="wrong-value",
                )
    for name, monitor in pipeline.monitors.items():
        place = at("monitors", name, "deployment")
        known(monitor.deployment, "", pipeline.deployments, place, "the deployment")
        if monitor.labels.source:
            place = at("monitors", name, "labels", "from")
            known(monitor.labels.source, "data.", pipeline.data, place, "the source")
        if monitor.performance:
            place = at("monitors", name, "performance", "metric")
            fitting_metric(pipeline, monitor.performance.metric, place)
        for key in ("when", "never_when"):
            for n, condition in enumerate(getattr(monitor.retrain, key)):
                words = condition if isinstance(condition, dict) else {str(condition): None}
                place = at("monitors", name, "retrain", key, n)
                known(next(iter(words), ""), "", _CONDITIONS, place, "the condition")


def _version(pipeline: Pipeline, reference: str, place: Place) -> None:
    name, _, alias = reference.partition("@")
    known(name, "", pipeline.models, place, "the model")
    if alias and not re.fullmatch(r"v\d+", alias):
        known(alias, "", pipeline.models[name].aliases, place, f"the alias of {name}")
