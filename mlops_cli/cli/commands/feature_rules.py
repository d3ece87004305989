"""`mlops feature history` and `test`: what became of a view's rule, and whether it holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text


def history(name: Annotated[str, typer.Argument(help="The view.")]) -> int:
    """List the commits that changed a view: its definition, its code, its values."""
    from mlops_cli.errors import NotFound
    from mlops_cli.features import history as histories
    from mlops_cli.pipeline.reading.load import load

    ctx = context.current()
    project = ctx.project()
    name = name.removeprefix("features.")
    views = load(project.root).features
    spec = views.get(name)
    found = histories.changes(project.git, name, spec)
    if not found and spec is None:
        raise NotFound(
            f"there is and was no features.{name}",
            code="unknown-feature",
            hint=f"there are: {', '.join(views) or 'none yet'}",
            details={"name": name},
        )
    data = {
        "view": name,
        "owner": spec.owner if spec else None,
        "changes": [
            {
                "commit": one.commit,
                "time": one.time,
                "author": one.author,
                "subject": one.subject,
                "what": list(one.what),
                "sentences": list(one.sentences),
                "version": one.digest,
            }
            for one in found
        ],
    }

    def human() -> str:
        if not found:
            return f"No commit has features.{name} yet."
        rows = [
            (one.commit[:8], one.time[:10], one.author, "; ".join(one.sentences)) for one in found
        ]
        return text.table(rows, ("commit", "date", "author", "what changed"), "llll")

    return ctx.show(data, "mlops.feature-history/1", human)


def test(
    names: Annotated[
        list[str] | None, typer.Argument(help="Their names; all when left out.")
    ] = None,
) -> int:
    """Build views twice, aside: the same bytes both times, and every check kept; else answer 1."""
    from mlops_cli.features import lookup, trial
    from mlops_cli.pipeline.reading.load import load

    ctx = context.current()
    project = ctx.project()
    pipeline = load(project.root)
    chosen = [name.removeprefix("features.") for name in names or pipeline.features]
    results: list[dict[str, Any]] = []
    with ctx.progress.task("test", total=len(chosen), unit="views") as task:
        for name in chosen:
            spec = lookup.of(pipeline, name)
            source = pipeline.data[spec.source.removeprefix("data.")]
            results.append(trial.trial(name, spec, source, root=project.root).plain())
            task.advance()
    passed = all(result["passed"] for result in results)

    def human() -> str:
        lines = []
        for result in results:
            mark = text.style("holds", "green") if result["passed"] else text.style("fails", "red")
            lines.append(f"features.{result['name']}: {mark}, {result['sentence']}.")
        return "\n".join(lines) or "There are no features in pipeline.yaml yet."

    data = {"passed": passed, "views": results}
    return ctx.show(data, "mlops.feature-test/1", human, code=0 if passed else 1)
