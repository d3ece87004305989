"""`mlops predict`: ask the server of an environment, or predict a file offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused, UsageError

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context

BATCH = "batch"

Where = Annotated[
    str, typer.Argument(metavar="ENVIRONMENT|batch", help="Whose server to ask; or batch.")
]
Source = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="With batch: the Parquet file to predict.")
]
Row = Annotated[
    list[str] | None, typer.Option("--row", help="One row: distance=1400,carrier=UA,wind=")
]
RowJson = Annotated[
    list[str] | None, typer.Option("--row-json", help='One row: {"distance": 1400, "wind": null}')
]
Output = Annotated[
    Path | None, typer.Option("-o", "--out", help="With batch: the Parquet file to write.")
]
ModelName = Annotated[
    str | None, typer.Option("--model", help="With batch: delay@production, delay@v3, delay.")
]


def command(
    where: Where,
    source: Source = None,
    row: Row = None,
    row_json: RowJson = None,
    output: Output = None,
    model: ModelName = None,
) -> int:
    """Predict rows of named values.

    Ask the server of an environment:  mlops predict prod --row distance=1400,carrier=UA

    Predict a Parquet file offline:  mlops predict batch in.parquet -o out.parquet --model delay
    """
    if where == BATCH:
        if row or row_json or source is None or output is None or model is None:
            raise UsageError(
                "batch takes a file, --output and --model",
                code="missing-argument",
                hint="mlops predict batch in.parquet -o out.parquet --model delay@production",
            )
        return _batch(source, output, model)
    if source is not None or output is not None or model is not None:
        raise UsageError(
            "FILE, --output and --model go with `mlops predict batch`",
            code="bad-argument",
            hint=f"mlops predict {where} --row name=value,…",
        )
    if not row and not row_json:
        raise UsageError(
            "there is no row to predict",
            code="missing-argument",
            hint=f"mlops predict {where} --row name=value,…",
        )
    return _online(where, row or [], row_json or [])


def _online(name: str, words: list[str], documents: list[str]) -> int:
    from mlops_cli.serving import client, deploy
    from mlops_cli.serving.parts import open_parts

    ctx = context.current()
    parts = open_parts(ctx.project(), now=ctx.now)
    running = deploy.look(parts, name)
    if running.state != "running" or running.url is None:
        raise StateRefused(
            f"no server of {name} runs; it {'died' if running.state == 'died' else 'is stopped'}",
            code="not-running",
            hint=f"mlops deploy apply {name}",
        )
    served = client.demand(running.url, "/version")["model"]
    known = client.demand(running.url, f"/v2/models/{served}")["inputs"]
    dtypes = {column["name"]: column["datatype"] for column in known}
    rows = [_row(item, dtypes) for item in words] + [_document(item) for item in documents]
    answer = client.demand(running.url, "/predict", {"rows": rows})
    data = {"environment": name, "url": running.url, **answer}

    def human() -> str:
        lines = [
            (request, prediction)
            for request, prediction in zip(
                answer["request_ids"], answer["predictions"], strict=True
            )
        ]
        table = text.table(lines, ("request", "prediction"), "lr")
        return f"{table}\n{answer['model']} v{answer['version']} at {running.url}"

    return ctx.show(data, "mlops.predict/1", human)


def _batch(source: Path, output: Path, name: str) -> int:
    from mlops_cli.registry.registry import Registry
    from mlops_cli.serving import batch
    from mlops_cli.serving.bundle import open_bundle
    from mlops_cli.serving.model import open_model

    ctx = context.current()
    project = ctx.project()
    version = Registry(project.git).resolve(name)
    folder = project.root / open_bundle(project.cache, version.bundle, root=project.root)
    model = open_model(
        folder,
        name=version.model,
        version=version.number,
        digest=version.digest,
        bundle=version.bundle,
    )
    done = batch.predict_file(model, _path(ctx, source), _path(ctx, output), progress=ctx.progress)
    data = {
        "output": str(output),
        "rows": done.rows,
        "columns": list(done.outputs),
        "model": version.model,
        "version": version.number,
        "digest": str(version.digest),
    }
    words = f"Predicted {text.count(done.rows, 'row')} with {version.model} v{version.number}: "
    return ctx.show(data, "mlops.predict-batch/1", f"{words}{output}")


def _path(ctx: Context, path: Path) -> Path:
    return path if path.is_absolute() else ctx.cwd / path


def _row(words: str, dtypes: dict[str, str]) -> dict[str, Any]:
    """Return the row in "a=1,b=x"; an empty value is a missing one."""
    row: dict[str, Any] = {}
    for part in words.split(","):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not name or name in row:
            raise UsageError(
                f"{part!r} in --row is not one name=value",
                code="bad-row",
                hint="--row distance=1400,carrier=UA; values with commas: --row-json",
            )
        row[name] = _value(name, value.strip(), dtypes.get(name, "BYTES"))
    return row


def _value(name: str, value: str, dtype: str) -> Any:
    if value == "":
        return None
    if dtype == "BYTES":
        return value
    flags = {"true": True, "false": False}
    try:
        if dtype == "BOOL" or value in flags:
            return flags[value]
        return float(value) if dtype.startswith("FP") else int(value)
    except (ValueError, KeyError):
        raise UsageError(
            f"{name}={value} in --row: the model takes {dtype}",
            code="bad-row",
            hint="true or false" if dtype == "BOOL" else "give a number",
        ) from None


def _document(words: str) -> dict[str, Any]:
    try:
        value = json.loads(words)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UsageError(
            "--row-json takes one JSON object",
            code="bad-row",
            hint="""--row-json '{"distance": 1400, "carrier": "UA"}'""",
        )
    return value
