"""`mlops models inspect`: what a model file says of itself; read, never loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.registry.modelfile.found import Found

_MOST = 40  # inputs or outputs on a screen


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            help="delay@production, delay@v3, or a file.",
            autocompletion=known.models,
        ),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 where register would refuse the file.")
    ] = False,
) -> int:
    """Show inputs, outputs, opset, size and operators of a model, and why it may not be one.

    The file is read field by field: no weights, no onnx, no pickle is ever loaded.
    """
    from mlops_cli.registry import formats
    from mlops_cli.registry.modelfile import inspection

    ctx = context.current()
    path = ctx.cwd / name
    if path.is_file():
        found, more = inspection.inspect_file(path), {"file": name}
    else:
        found, more = _registered(ctx, name)
    problems = inspection.judged(found, more.pop("allowed", formats.ALLOWED))
    refused = [{"code": each.code, "why": each.why} for each in problems]
    data = {"name": name, **more, **found.to_plain(), "problems": refused}
    return ctx.show(
        data, "mlops.models-inspect/1", lambda: _screen(data), code=int(check and bool(refused))
    )


def _registered(ctx: Context, name: str) -> tuple[Found, dict[str, Any]]:
    from mlops_cli.registry import formats
    from mlops_cli.registry.modelfile import inspection
    from mlops_cli.registry.registry import Registry

    project = ctx.project()
    version = Registry(project.git).resolve(name)
    found = inspection.inspect_object(project.cache, version.digest, name=version.name)
    # it was registered, so its format was allowed then
    allowed = {*formats.ALLOWED, found.format}
    return found, {"name": version.name, "digest": str(version.digest), "allowed": allowed}


def _screen(data: Mapping[str, Any]) -> str:
    from mlops_cli.registry import formats

    rows = [
        ("format", formats.told(data["format"])),
        ("size", text.size(data["size"])),
        *(_inside(data) if data["format"] in formats.ALLOWED else ()),
    ]
    lines = [text.style(text.shown(data["name"]), "bold")]
    lines.append(text.table([row for row in rows if row[1] is not None], indent="  "))
    for what in ("inputs", "outputs"):
        if data[what]:
            lines += ["", _tensors(what, data[what])]
    for each in data["problems"]:
        lines.append(f"{text.style('no', 'red')}  {text.shown(each['why'])} [{each['code']}]")
    return "\n".join(lines)


def _inside(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    opset = ", ".join(f"{text.shown(name)} {version}" for name, version in data["opset"].items())
    kinds, used = len(data["operators"]), sum(data["operators"].values())
    return [
        ("opset", opset or None),
        ("IR version", data["ir_version"]),
        ("made by", text.shown(data["producer"]) or None),
        ("weights", f"{text.count(data['parameters'], 'number')} in {data['tensors']:,} tensors"),
        ("operators", f"{used:,} of {text.count(kinds, 'kind')}" if used else None),
    ]


def _tensors(what: str, tensors: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (text.shown(each["name"]), each["dtype"], _shape(each["shape"])) for each in tensors[:_MOST]
    ]
    more = f"\n  and {len(tensors) - _MOST:,} more" if len(tensors) > _MOST else ""
    return text.table(rows, (what, "type", "shape"), indent="  ") + more


def _shape(shape: Sequence[int | str | None] | None) -> str:
    if shape is None:
        return "any"
    return f"[{', '.join('?' if axis is None else text.shown(str(axis)) for axis in shape)}]"
