"""Sections of pipeline.yaml to steps of one graph: the same names, kinds and outputs every time."""

from __future__ import annotations

from typing import Any

from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.steps import StepDef
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.reading.lasting import endurance
from mlops_cli.pipeline.reading.lower_training import training
from mlops_cli.pipeline.reading.weight import READ, VALIDATED, VIEW, without
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.words.deps import meant
from mlops_cli.pipeline.words.interpolate import references
from mlops_cli.pipeline.words.items import folder
from mlops_cli.pipeline.words.outs import keeping, paths


def lower(pipeline: Pipeline) -> tuple[Step, ...]:
    """Return the steps of all sections, in the order of the file."""
    steps: list[Step] = []
    for name, source in pipeline.data.items():
        steps.append(_validate(name, source))
    for name, view in pipeline.features.items():
        steps.append(_feature(pipeline, name, view))
    for name, definition in pipeline.steps.items():
        steps.append(_command(pipeline, name, definition))
    for name, train in pipeline.train.items():
        steps += training(pipeline, name, train)
    for name, model in pipeline.models.items():
        target = model.source.removeprefix("train.")
        steps.append(
            Step(
                f"register.{name}",
                "register",
                deps=(f"out/{target}/model", f"out/{target}/evaluation"),
                config={"name": name},
                action=True,
                needs=(f"evaluate.{target}",),
                owner=model.owner,
            )
        )
    for name, deployment in pipeline.deployments.items():
        needs = (f"register.{deployment.model.partition('@')[0]}",)
        steps.append(_act("deploy", name, needs, deployment.owner))
    for name, monitor in pipeline.monitors.items():
        steps.append(_act("monitor", name, (f"deploy.{monitor.deployment}",), monitor.owner))
    return tuple(steps)


def _act(kind: str, name: str, needs: tuple[str, ...], owner: str | None) -> Step:
    return Step(
        f"{kind}.{name}", kind, config={"name": name}, action=True, needs=needs, owner=owner
    )


def _validate(name: str, source: Source) -> Step:
    return Step(
        f"data.{name}",
        "validate",
        deps=(source.path,),
        outs=(f"out/data/{name}.json",),
        config={"name": name, "source": without(source, VALIDATED)},
        owner=source.owner,
    )


def _feature(pipeline: Pipeline, name: str, view: FeatureView) -> Step:
    source = view.source.removeprefix("data.")
    deps = [pipeline.data[source].path, f"out/data/{source}.json"]
    if view.sql:
        deps.append(view.sql)
    return Step(
        f"feature.{name}",
        "feature",
        deps=tuple(deps),
        outs=(f"out/features/{name}",),
        code=(view.transform.partition(":")[0],) if view.transform else (),
        config={
            "name": name,
            "view": without(view, VIEW),
            "source": without(pipeline.data[source], READ),
        },
        owner=view.owner,
    )


def _command(pipeline: Pipeline, name: str, definition: StepDef) -> Step:
    cmd = (definition.cmd,) if isinstance(definition.cmd, str) else definition.cmd
    deps = [path for dep in definition.deps for path in meant(pipeline, dep)]
    outs = paths(definition.outs)
    metrics, plots = paths(definition.metrics), paths(definition.plots)
    outs += [path for path in (*metrics, *plots) if not any(under(path, out) for out in outs)]
    mentioned = [ref for line in cmd for ref in references(line)]
    config: dict[str, Any] = {}
    if definition.map_:
        deps, config = [definition.map_, *deps], {"map": definition.map_, "out": outs[0]}
        outs = [folder(outs[0])]
    return Step(
        name,
        "map" if definition.map_ else "command",
        config=config,
        deps=tuple(dict.fromkeys(deps)),
        outs=tuple(dict.fromkeys(outs)),
        params=tuple(dict.fromkeys([*definition.params, *mentioned])),
        cmd=cmd,
        metrics=tuple(metrics),
        plots=tuple(plots),
        env=definition.env,
        variables=definition.variables,
        wdir=definition.wdir,
        timeout=definition.timeout,
        frozen=definition.frozen,
        always=definition.always,
        owner=definition.owner,
        keeping=keeping(definition.outs),
        until=to_plain(definition.until) if definition.until else {},
        partition=definition.partitions.keys[0] if definition.partitions else None,
        **endurance(definition),
    )


def as_json(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """Return the steps as plain values."""
    return [to_plain(step) for step in steps]
