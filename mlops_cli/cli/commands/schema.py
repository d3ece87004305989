"""`mlops schema`: the JSON Schema of pipeline.yaml, of a policy, or of what --json prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render.text import nearest
from mlops_cli.errors import NotFound

FOLDER = Path(__file__).parent.parent / "schemas"


def command(
    name: Annotated[
        str | None,
        typer.Argument(help="policy, or a result: mlops.status/1; pipeline.yaml when left out."),
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="List the schemas that there are.")
    ] = False,
) -> int:
    """Print the JSON Schema of pipeline.yaml, of models/NAME.yaml, or of a result of a command.

    The schema itself is the result, so --json changes nothing here but the form of errors; with
    --list it gives one document like every other command.
    """
    ctx = context.current()
    if list_all:
        rows = [{"id": key, "title": value.get("title", "")} for key, value in schemas().items()]
        return ctx.show(
            {"schemas": rows}, "mlops.schema-list/1", "\n".join(row["id"] for row in rows)
        )
    document = _schema(name)
    ctx.sink.document(document)
    return 0


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema of a result by its `$id`, in order."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return {schema["$id"]: schema for schema in sorted(found, key=lambda schema: schema["$id"])}


def _schema(name: str | None) -> dict[str, Any]:
    if name in (None, "pipeline", "pipeline.yaml"):
        from mlops_cli.pipeline.reading.schema import json_schema

        return json_schema()
    if name == "policy":
        from mlops_cli.registry.rules import schema

        return schema.json_schema()
    known = schemas()
    wanted = name if "/" in name else f"mlops.{name.removeprefix('mlops.')}/1"
    if wanted not in known:
        near = nearest(wanted, known)
        raise NotFound(
            f"there is no schema {name!r}",
            code="unknown-schema",
            hint=f"did you mean: mlops schema {near}" if near else "mlops schema --list",
        )
    return known[wanted]
