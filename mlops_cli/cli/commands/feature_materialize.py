"""`mlops feature materialize`: the newest values of every entity into the online store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli.cli import context, moments
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound

if TYPE_CHECKING:
    from mlops_cli.pipeline.model.pipeline import Pipeline

Store = Annotated[str, typer.Option("--store", help="The kind of online store.")]


def materialize(
    names: Annotated[
        list[str] | None, typer.Argument(help="Views; those with `online: true` when left out.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="As known at this time (UTC); now when left out.")
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Also replace what is there as of a later time.")
    ] = False,
    store: Store = "sqlite",
) -> int:
    """Put the newest values of every entity into the online store, all at once a view."""
    from mlops_cli.features import instant, lookup, publish
    from mlops_cli.features.online import open_store
    from mlops_cli.pipeline.reading.load import load
    from mlops_cli.pipeline.running.execute import RunParts

    ctx = context.current()
    project = ctx.project()
    pipeline = load(project.root)
    chosen = [name.removeprefix("features.") for name in names or []] or _online(pipeline)
    views = {name: lookup.of(pipeline, name) for name in chosen}
    moment = moments.parse(at, ctx.now())
    built = publish.versions(RunParts.of(project, ctx.environment), pipeline, list(views))
    online = open_store(store, project.root)
    done = []
    with ctx.progress.task("materialize", total=len(views), unit="views") as task:
        for name, spec in views.items():
            made = publish.materialize(
                name,
                spec,
                root=project.root,
                store=online,
                at=moment,
                version=built[name],
                back=back,
            )
            done.append(
                {
                    "name": name,
                    "version": made.version,
                    "as_of": made.as_of.isoformat(),
                    "former_as_of": instant.iso(made.former.as_of) if made.former else None,
                    "entities": made.entities,
                    "written": made.written,
                    "removed": made.removed,
                }
            )
            task.advance()
    online.close()
    head = ("view", "entities", "written", "removed", "as of")
    rows = [
        (
            view["name"],
            *(f"{view[key]:,}" for key in ("entities", "written", "removed")),
            f"{moment:%Y-%m-%d %H:%M}",
        )
        for view in done
    ]
    data = {"store": store, "at": moment.isoformat(), "views": done}
    return ctx.show(data, "mlops.feature-materialize/1", lambda: text.table(rows, head, "lrrrl"))


def _online(pipeline: Pipeline) -> list[str]:
    chosen = [name for name, spec in pipeline.features.items() if spec.online]
    if not (chosen or pipeline.features):
        raise NotFound(
            "there are no features in pipeline.yaml",
            code="no-features",
            hint="describe one under `features:`",
        )
    return chosen or list(pipeline.features)
