"""Sections of pipeline.yaml to steps of one graph: the same names, kinds and outputs every time."""

from __future__ import annotations

from typing import Any

from mlops_cli.pipeline import deps as deps_of
from mlops_cli.pipeline import mapped
from mlops_cli.pipeline.interpolate import references
from mlops_cli.pipeline.model import FeatureView, Pipeline, Source, StepDef, Train, to_plain
from mlops_cli.pipeline.outs import keeping, paths
from mlops_cli.pipeline.paths import base, clean, under
from mlops_cli.pipeline.step import Step

# owners, descriptions and serving switches change no byte of an output, so they are in no key
_VALIDATED = ("owner",)
_READ = ("owner", "checks", "rows", "fresh_within")
_VIEW = ("owner", "description", "online")
_ENDURANCE = (
    *("timeout", "retries", "resources", "checkpoint", "determinism", "tolerance"),
    "environment",  # whose digest is a part of its own
)


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
        steps += _training(pipeline, name, train)
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
        config={"name": name, "source": _without(source, _VALIDATED)},
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
            "view": _without(view, _VIEW),
            "source": _without(pipeline.data[source], _READ),
        },
        owner=view.owner,
    )


def _command(pipeline: Pipeline, name: str, definition: StepDef) -> Step:
    cmd = (definition.cmd,) if isinstance(definition.cmd, str) else definition.cmd
    deps = [path for dep in definition.deps for path in deps_of.meant(pipeline, dep)]
    outs = paths(definition.outs)
    metrics, plots = paths(definition.metrics), paths(definition.plots)
    outs += [path for path in (*metrics, *plots) if not any(under(path, out) for out in outs)]
    mentioned = [ref for line in cmd for ref in references(line)]
    config: dict[str, Any] = {}
    if definition.map_:
        deps, config = [definition.map_, *deps], {"map": definition.map_, "out": outs[0]}
        outs = [mapped.folder(outs[0])]
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
        **_endurance(definition),
    )


def _training(pipeline: Pipeline, name: str, train: Train) -> list[Step]:
    task = pipeline.project.task
    spine = train.dataset.spine.removeprefix("data.")
    views = {view: pipeline.features[view] for view in train.dataset.features}
    dataset, model, parent = (f"out/{name}/{part}" for part in ("dataset", "model", "parent"))
    warm = (parent,) if train.warm_start else ()
    prepare = Step(
        f"dataset.{name}",
        "dataset",
        deps=(
            pipeline.data[spine].path,
            f"out/data/{spine}.json",
            *(f"out/features/{view}" for view in views),
        ),
        outs=(dataset,),
        config={
            "name": name,
            "dataset": to_plain(train.dataset),
            "spine": _without(pipeline.data[spine], _READ),
            "views": {key: _without(view, _VIEW) for key, view in views.items()},
            "slices": list(train.slices),
            "task": task,
        },
        owner=train.owner,
    )
    choose = Step(
        f"parent.{name}",
        "parent",
        deps=(dataset,),  # chosen once for every dataset; a new one asks again
        outs=(parent,),
        config={
            "name": name,
            "warm_start": train.warm_start,
            "incremental": train.incremental,
            "models": [
                key for key, each in pipeline.models.items() if each.source == f"train.{name}"
            ],
        },
        owner=train.owner,
    )
    files = [ref.partition(":")[0] for ref in (train.code, train.network) if ref]
    cmd = (train.cmd,) if isinstance(train.cmd, str) else train.cmd or ()
    files += [clean(word) for line in cmd for word in line.split() if word.endswith(".py")]
    fit = Step(
        f"train.{name}",
        "train",
        deps=(dataset, *warm, *map(clean, train.deps)),
        outs=(model,),
        params=(train.params,) if train.params else (),
        code=tuple(dict.fromkeys(files)),
        config={
            "name": name,
            "train": _without(train, ("owner", "metrics", "slices", "params", "deps", *_ENDURANCE)),
            "task": task,
        },
        timeout=train.timeout,
        owner=train.owner,
        **_endurance(train),
    )
    judge = Step(
        f"evaluate.{name}",
        "evaluate",
        deps=(dataset, model),
        outs=(f"out/{name}/evaluation",),
        config={
            "name": name,
            "metrics": list(train.metrics),
            "slices": list(train.slices),
            "task": task,
        },
        owner=train.owner,
        **_promise(train),
    )
    return [prepare, *([choose] if warm else []), fit, judge]


def _promise(definition: StepDef | Train) -> dict[str, Any]:
    """Return what a reproduction may ask of a step."""
    return {"determinism": definition.determinism, "tolerance": dict(definition.tolerance)}


def _endurance(definition: StepDef | Train) -> dict[str, Any]:
    """Return what a step needs and endures; in no key, as it changes no byte of an output."""
    found = _promise(definition)
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


def _without(value: Any, leave_out: tuple[str, ...]) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(value)
    return {key: item for key, item in plain.items() if key not in leave_out}


def as_json(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """Return the steps as plain values."""
    return [to_plain(step) for step in steps]
