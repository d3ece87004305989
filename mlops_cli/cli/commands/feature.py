"""`mlops feature`: sources held against their contracts, views built and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.commands import feature_get, feature_materialize, feature_rules
from mlops_cli.cli.render import feature as pages
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.pipeline.model.pipeline import Pipeline

app = typer.Typer(help="Validate, profile, build, test, read and serve features.")

Names = Annotated[list[str] | None, typer.Argument(help="Their names; all when left out.")]


@app.command("list")
def list_views() -> int:
    """List the feature views, their columns, and how far they have been built."""
    from mlops_cli.features import view

    ctx = context.current()
    root = ctx.project().root
    pipeline = _pipeline(root)
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "entity": list(spec.entity),
            "from": spec.source,
            "time": spec.time,
            "ttl": spec.ttl,
            "columns": view.columns(name, spec),
            "owner": spec.owner,
            "description": spec.description,
            "built": _report(root, name),
        }
        for name, spec in pipeline.features.items()
    ]

    def human() -> str:
        if not found:
            return "There are no features in pipeline.yaml yet."
        rows = [
            (
                item["name"],
                ", ".join(item["entity"]),
                len(item["columns"]),
                f"{item['built']['rows']:,}" if item["built"] else None,
                (item["built"]["time"]["end"] or "-")[:16] if item["built"] else "not built",
            )
            for item in found
        ]
        return text.table(rows, ("view", "entity", "columns", "rows", "newest row"), "llrr")

    return ctx.show({"views": found}, "mlops.feature-list/1", human)


@app.command("profile")
def profile(
    what: Annotated[str, typer.Argument(help="A source, a view, or a Parquet or CSV path.")],
    base: Annotated[
        Path | None, typer.Option("--base", help="Count on the bins of this profile (JSON).")
    ] = None,
) -> int:
    """Profile a table: nulls, range, mean, spread, categories, histograms."""
    from mlops_cli.encode import parse_json
    from mlops_cli.features import profile as profiles

    ctx = context.current()
    root = ctx.project().root
    against = None
    if base is not None:
        try:
            document = parse_json((ctx.cwd / base).read_bytes(), source=str(base))
        except OSError as exc:
            raise NotFound(
                f"there is no profile at {base}",
                code="profile-missing",
                hint=f"mlops feature profile {what} --json > {base}",
            ) from exc
        against = document.get("data", document)
    made = profiles.profile(_table(root, what), base=against)
    return ctx.show(made, profiles.SCHEMA, lambda: pages.profile(made))


@app.command("validate")
def validate(names: Names = None) -> int:
    """Hold sources against their contracts, as they are now; answers 1 if one is broken."""
    from mlops_cli.features import contract, read

    ctx = context.current()
    root = ctx.project().root
    sources = _pipeline(root).data
    results = []
    for name in [word.removeprefix("data.") for word in names or sources]:
        if name not in sources:
            raise _unknown(f"data.{name}", list(sources))
        source = sources[name]
        looked = contract.inspect(read.table(root, source.path), source)
        verdicts = list(looked.verdicts)
        if source.fresh_within:
            end = looked.time["end"]
            verdicts.append(contract.fresh(end, source.fresh_within, now=ctx.now()))
        results.append(
            {
                "name": name,
                "path": source.path,
                "rows": looked.profile["rows"],
                "time": looked.time,
                "label": looked.label,
                "passed": all(verdict.passed for verdict in verdicts),
                "rules": [verdict.plain() for verdict in verdicts],
            }
        )
    passed = all(result["passed"] for result in results)
    data = {"passed": passed, "sources": results}
    return ctx.show(
        data, "mlops.feature-validate/1", lambda: pages.contract(results), code=0 if passed else 1
    )


@app.command("build")
def build(
    names: Names = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be done.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Build them though nothing changed.")
    ] = False,
    no_commit: Annotated[
        bool, typer.Option("--no-commit", help="Leave the locks uncommitted.")
    ] = False,
) -> int:
    """Build feature views and what they need: `mlops run` narrowed to features."""
    from mlops_cli.cli.commands import run
    from mlops_cli.features import lookup
    from mlops_cli.pipeline.running import execute

    ctx = context.current()
    project = ctx.project()
    pipeline = _pipeline(project.root)
    chosen = [name.removeprefix("features.") for name in names or list(pipeline.features)]
    for name in chosen:
        lookup.of(pipeline, name)
    if not chosen:
        raise NotFound(
            "there are no features in pipeline.yaml",
            code="no-features",
            hint="describe one under `features:`",
        )
    result = execute.run(
        execute.RunParts.of(project, ctx.environment),
        pipeline,
        [f"feature.{name}" for name in chosen],
        now=ctx.now,
        jobs=execute.default_jobs(),
        dry_run=dry_run,
        force=force,
        commit=not no_commit,
        progress=ctx.progress,
    )
    views = [{"name": name, "built": _report(project.root, name)} for name in chosen]
    data = run.as_json(result, dry_run=dry_run) | {"views": views}
    return ctx.show(data, "mlops.feature-build/1", lambda: run.screen(result, [], dry_run=dry_run))


app.command("get")(feature_get.get)
app.command("materialize")(feature_materialize.materialize)
app.command("history")(feature_rules.history)
app.command("test")(feature_rules.test)


def _pipeline(root: Path) -> Pipeline:
    from mlops_cli.pipeline.reading.load import load

    return load(root)


def _report(root: Path, name: str) -> dict[str, Any] | None:
    path = root / "out" / "features" / name / "report.json"
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    kept = ("rows", "entities", "time", "dropped", "quarantined")
    return {fact: report[fact] for fact in kept}


def _table(root: Path, what: str) -> pa.Table:
    """Return the rows of a source, a view or a path of the project, in this order."""
    from mlops_cli.features import lookup, read

    if (root / "pipeline.yaml").is_file():
        pipeline = _pipeline(root)
        source = pipeline.data.get(what.removeprefix("data."))
        if source is not None:
            return read.table(root, source.path)
        name = what.removeprefix("features.")
        if name in pipeline.features:
            return read.table(lookup.values_path(root, name).parent, "values.parquet")
    return read.table(root, what)


def _unknown(name: str, known: list[str]) -> NotFound:
    return NotFound(
        f"pipeline.yaml has no {name}",
        code="unknown-source",
        hint=f"there are: {', '.join(known) or 'none yet'}",
        details={"name": name},
    )
