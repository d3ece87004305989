"""What a model is trained on: spine rows, their features as known at the time, three parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.features import (
    check,
    instant,
    leak,
    materialize,
    offline,
    profile,
    read,
    write,
)
from mlops_cli.features import label as labels
from mlops_cli.features import recipe as recipes
from mlops_cli.features import split as splits
from mlops_cli.features.recipe import Recipe
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import from_plain
from mlops_cli.pipeline.model.training import DatasetDef
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "mlops.dataset/1"


class DatasetStep:
    """Join, check for leaks, split, profile."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write train, validate and test.parquet, profile.json (of train) and dataset.json.

        Raises StepFailed ("leak", "label-missing", "too-few-rows", "label-not-binary", …).
        """
        config = step.config
        recipe = Recipe(
            from_plain(DatasetDef, config["dataset"]),
            from_plain(Source, config["spine"]),
            {name: from_plain(FeatureView, spec) for name, spec in config["views"].items()},
            config.get("task", "binary"),
            tuple(config.get("slices", ())),
        )
        folder = context.outs[f"out/{config['name']}/dataset"]
        folder.mkdir(parents=True, exist_ok=True)
        facts = make(context.root, recipe, folder)
        sizes = {f"{side}.rows": float(facts["split"][side]["rows"]) for side in splits.SIDES}
        kept = ("watermark", "split", "dropped", "source", "waived")
        return Outcome(metrics=sizes, facts={name: facts[name] for name in kept if name in facts})


def make(root: Path, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Write the dataset into `folder` and return what dataset.json says."""
    recipes.verify(recipe)
    waive = recipe.dataset.waive
    waived = leak.judge(leak.declared(recipe.dataset, recipe.spine, recipe.views), waive)
    source = _spine(root, recipe)
    chosen, dropped, watermark = _chosen(source, recipe)
    values = {name: root / "out" / "features" / name / "values.parquet" for name in recipe.views}
    table = _joined(chosen, recipe, values)
    table = table.set_column(
        table.column_names.index(recipe.label), recipe.label, labels.column(table, recipe)
    )
    dtypes = recipes.dtypes(table, recipe)
    sides = splits.split(
        table,
        recipe.dataset.split,
        key=recipe.spine.key,
        time=recipe.spine.time,
        known_at=recipe.known_at,
    )
    waived += leak.judge(_leaks(table, sides, list(dtypes), recipe), waive)
    kept = table.select([*recipe.identity, *recipe.extras, *dtypes, recipe.label])
    parts = {side: sides.part(kept, side) for side in splits.SIDES}
    labels.refuse_one_class(parts["train"], recipe)
    for side, part in parts.items():
        write.parquet(part, folder / f"{side}.parquet")
    counted = profile.profile(parts["train"], columns=list(dtypes))
    # apart from the features: what is served has no label, and that is no drift
    counted["label"] = profile.profile(parts["train"], columns=[recipe.label])["columns"]
    fsio.write_atomic(folder / "profile.json", readable_json(counted))
    facts = {
        "schema": SCHEMA,
        "label": recipe.label,
        "known_at": recipe.known_at,
        "key": list(recipe.spine.key),
        "time": recipe.spine.time,
        "task": recipe.task,
        "features": [
            {"name": name, "dtype": dtype, "from": recipes.origin(name, recipe)}
            for name, dtype in dtypes.items()
        ],
        "extras": recipe.extras,
        "split": {
            "by": recipe.dataset.split.by,
            "seed": recipe.dataset.split.seed,
            **{side: _extent(part, recipe) for side, part in parts.items()},
        },
        "window": recipe.dataset.window,
        "watermark": watermark,
        "dropped": dropped | {f"unknown_at_boundary_{k}": n for k, n in sides.purged.items()},
        "source": {"path": recipe.spine.path, **_extent(source, recipe, labels=False)},
    }
    if recipe.task == "multiclass":
        facts["classes"] = sorted(kept.column(recipe.label).unique().to_pylist())
    if waived:
        facts["waived"] = waived
    fsio.write_atomic(folder / "dataset.json", readable_json(facts))
    return facts


def _leaks(
    table: pa.Table, sides: splits.Sides, features: list[str], recipe: Recipe
) -> Iterator[leak.Leak]:
    yield from leak.copies(table, features, recipe.label)
    yield from leak.futures(table, recipe.dataset, recipe.spine)
    split = recipe.dataset.split
    if split.group is not None and split.by != "group":
        yield from splits.shared_groups(table, split.group, sides)
    yield from splits.late_labels(sides)


def rows(
    root: Path,
    pipeline: Pipeline,
    train_name: str,
    spine_table: pa.Table,
    *,
    values: Mapping[str, pa.Table] | None = None,
) -> pa.Table:
    """Return for each row of `spine_table` what the model `train.NAME` would be given at its time.

    Same rows, same order; columns as in train.parquet, the label (as the source holds it, null
    where unknown) and when it becomes known included where the table has them. `values` are the
    rows of the views as `view_values` returns them; without, they are made from the sources now.
    """
    recipe = recipes.of(pipeline, train_name)
    made = view_values(root, pipeline, train_name) if values is None else values
    known = [recipe.label, *([recipe.known_at] if recipe.known_at else [])]
    first = [*recipe.identity, *recipe.extras, *recipe.dataset.columns]
    there = [name for name in dict.fromkeys([*first, *known]) if name in spine_table.column_names]
    read.require(spine_table, recipe.dataset.columns, where="the spine")
    joined = _joined(read.plain(spine_table.select(there)), recipe, made)
    last = [name for name in known if name in there]
    kept = [name for name in there if name not in last]
    return joined.select([*kept, *recipe.made, *last])


def view_values(root: Path, pipeline: Pipeline, train_name: str) -> dict[str, pa.Table]:
    """Return the rows of the views that `train.NAME` uses, made from their sources as they are."""
    made = {}
    for name, spec in recipes.of(pipeline, train_name).views.items():
        source = pipeline.data[spec.source.removeprefix("data.")]
        made[name] = materialize.build(name, spec, source, root=root).values
    return made


def _spine(root: Path, recipe: Recipe) -> pa.Table:
    known_at = [recipe.known_at] if recipe.known_at else []
    known_at += [at for name, at in recipe.spine.known_at.items() if name in recipe.dataset.columns]
    wanted = [*recipe.identity, *recipe.extras, *recipe.dataset.columns, recipe.label, *known_at]
    return read.table(root, recipe.spine.path, list(dict.fromkeys(wanted)))


def _chosen(table: pa.Table, recipe: Recipe) -> tuple[pa.Table, dict[str, int], str | None]:
    """Return the rows with a label inside the window, sorted, what was dropped, the watermark.

    The watermark is the instant of the newest known label; the window reaches back from it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    held = table.filter(pc.invert(check.missing(table.column(recipe.label))))
    dropped = {"no_label": table.num_rows - held.num_rows, "before_window": 0, "no_time": 0}
    if not held.num_rows:
        raise StepFailed(
            f"no row of {recipe.dataset.spine} has a label",
            code="label-missing",
            hint=f"wait until {recipe.label!r} is known for some rows, or check the source",
        )
    time = recipe.spine.time
    if time is None:
        return held, dropped, None
    dated = held.filter(pc.is_valid(held.column(time)))
    dropped["no_time"] = held.num_rows - dated.num_rows
    known = recipe.known_at or time
    newest = pc.max(instant.micros(dated.column(known), known)).as_py()
    if recipe.dataset.window is not None and newest is not None:
        since = newest - instant.span(duration(recipe.dataset.window))
        recent = dated.filter(pc.greater(instant.micros(dated.column(time), time), since))
        dropped["before_window"] = dated.num_rows - recent.num_rows
        dated = recent
    if not dated.num_rows:
        raise StepFailed(
            f"no row of {recipe.dataset.spine} with a label lies in the window",
            code="too-few-rows",
            hint="use a longer `window`",
            details={"window": recipe.dataset.window, "watermark": instant.iso(newest)},
        )
    numbered = dated.append_column("\0row", pa.array(range(dated.num_rows), pa.int64()))
    order = [(name, "ascending") for name in dict.fromkeys([time, *recipe.spine.key, "\0row"])]
    return numbered.sort_by(order).drop_columns(["\0row"]), dropped, instant.iso(newest)


def _joined(
    spine: pa.Table, recipe: Recipe, values: Mapping[str, Path] | Mapping[str, pa.Table]
) -> pa.Table:
    if not recipe.views:
        return spine
    if recipe.spine.time is None:
        raise ConfigError(
            f"{recipe.dataset.spine} has no time, so features cannot be joined as they were known",
            code="time-missing",
            hint=f"add `time: COLUMN` under {recipe.dataset.spine}",
        )
    views = [(name, spec, values[name]) for name, spec in recipe.views.items()]
    return offline.join(spine, time=recipe.spine.time, views=views)


def _extent(part: pa.Table, recipe: Recipe, *, labels: bool = True) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    extent: dict[str, Any] = {"rows": part.num_rows}
    if recipe.spine.time is not None:
        ends = pc.min_max(instant.micros(part.column(recipe.spine.time), recipe.spine.time)).as_py()
        extent |= {"start": instant.iso(ends["min"]), "end": instant.iso(ends["max"])}
    if labels and recipe.task == "binary" and part.num_rows:
        share = pc.mean(part.column(recipe.label).cast(pa.float64())).as_py()
        extent["positive"] = round(share, 6)
    return extent
