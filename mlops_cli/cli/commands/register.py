"""`mlops register`: the model that was trained last becomes a numbered version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry.version import Version
from mlops_cli.training.action import work
from mlops_cli.training.register import register


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The model; may be left out where there is one.", autocompletion=known.sections
        ),
    ] = None,
) -> int:
    """Register what `train` and `evaluate` made last: a bundle in the cache, a tag in git.

    Refused while a step is stale. The same model again is the version it already is.
    """
    ctx = context.current()
    project = ctx.project()
    pipeline = load(project.root)
    model = name or _only(pipeline)
    run = RunParts.of(project, ctx.environment)
    version, created = register(work(project), run, pipeline, model, now=ctx.now())
    data = as_json(version, created=created)
    return ctx.show(data, "mlops.register/1", lambda: screen(data))


def _only(pipeline: Pipeline) -> str:
    if len(pipeline.models) == 1:
        return next(iter(pipeline.models))
    raise UsageError(
        "which model shall be registered?",
        code="model-needed",
        hint=f"models in pipeline.yaml: {', '.join(pipeline.models) or 'none'}",
    )


def as_json(version: Version, *, created: bool) -> dict[str, Any]:
    """Return the version as plain values."""
    told = ("format", "run", "lock", "dataset", "metrics", "parity", "golden", "card", "dirty")
    return {
        "model": version.model,
        "version": version.number,
        "created": created,
        "tag": version.tag,
        "commit": version.commit,
        "digest": version.digest,
        "bundle": version.bundle,
        **{name: version.payload.get(name) for name in told},
    }


def screen(data: dict[str, Any]) -> str:
    """Return what a person reads."""
    name = f"{data['model']}@v{data['version']}"
    state = "is registered" if data["created"] else "was registered before: the same model"
    metrics = "  ".join(f"{key} {value:.4g}" for key, value in data["metrics"].items())
    rows = [
        ("model", data["digest"]),
        ("bundle", data["bundle"]),
        ("run", data["run"]),
        ("metrics", metrics),
        ("parity", _parity(data["parity"]["max_abs"])),
        ("tag", data["tag"]),
    ]
    lines = [f"{text.style(name, 'bold')} {state}.", text.table(rows, indent="  ")]
    if data["dirty"]:
        lines.append(f"Not committed when it was registered: {', '.join(data['dirty'])}.")
    lines.append(f"Next: mlops promote {name} ALIAS")
    return "\n".join(lines)


def _parity(gap: float | None) -> str:
    if gap is None:
        return "nothing was there to compare with"
    return f"at most {gap:.2g} from the trained model"
