"""An entry of `train` to steps: its data set, its parent, the training, the evaluation."""

from __future__ import annotations

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.training import Train
from mlops_cli.pipeline.paths import clean
from mlops_cli.pipeline.reading.lasting import endurance, promise
from mlops_cli.pipeline.reading.weight import ENDURANCE, READ, VIEW, without
from mlops_cli.pipeline.step import Step


def training(pipeline: Pipeline, name: str, train: Train) -> list[Step]:
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
            "spine": without(pipeline.data[spine], READ),
            "views": {key: without(view, VIEW) for key, view in views.items()},
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
            "train": without(train, ("owner", "metrics", "slices", "params", "deps", *ENDURANCE)),
            "task": task,
        },
        timeout=train.timeout,
        owner=train.owner,
        **endurance(train),
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
        **promise(train),
    )
    return [prepare, *([choose] if warm else []), fit, judge]
