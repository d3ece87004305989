"""dvc.yaml: every stage as it runs, with loops unrolled and all names replaced by their values."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.integrations.dvc import declared, text
from mlops_cli.integrations.dvc.context import EXPRESSION, Context, spelled
from mlops_cli.integrations.dvc.declared import Made
from mlops_cli.integrations.dvc.outs import Refused, place

FILE = "dvc.yaml"
TURNS = 10_000  # stages that one loop may make


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. Paths are relative to the project, lines of `cmd` as DVC would run them."""

    name: str  # as DVC calls it: "train", "train@small"
    file: str  # the dvc.yaml that holds it
    cmd: tuple[str, ...]
    live: tuple[str, ...]  # the same with ${params.…} for what params.yaml says
    wdir: str
    deps: tuple[str, ...]
    params: tuple[tuple[str, tuple[str, ...]], ...]  # file → keys, none of them: the whole file
    outs: tuple[Made, ...]
    frozen: bool = False
    always: bool = False
    desc: str = ""
    listed: bool = False  # whether cmd was a list

    @property
    def address(self) -> str:
        """Return the name by which DVC finds it from the root."""
        return self.name if self.file == FILE else f"{self.file}:{self.name}"


def read_stages(root: Path, file: str, values: Any) -> Iterator[Stage | Refused]:
    """Yield the stages of one dvc.yaml (`file`, relative to the project), or why one is none."""
    base = file.rpartition("/")[0]
    values = text.mapping(values, name=file)
    outer = Context()
    try:
        outer.load(root, base, text.listing(values.get("vars"), name=file), default=True)
    except Refused as refused:
        yield Refused(file, refused.why)
        return
    for name, definition in text.mapping(values.get("stages"), name=file).items():
        if not isinstance(definition, dict):
            yield Refused(f"{file}:{name}", "it is no mapping")
            continue
        try:
            turns = list(_turns(outer, name, definition))
        except Refused as refused:
            yield Refused(f"{file}:{name}", refused.why)
            continue
        for called, template, context in turns:
            try:
                yield _stage(root, file, called, template, context)
            except Refused as refused:
                yield Refused(f"{file}:{called}", refused.why)


def _turns(
    outer: Context, name: str, definition: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], Context]]:
    """Yield name, template and context of each stage that one entry makes."""
    if "matrix" in definition:
        template = {key: value for key, value in definition.items() if key != "matrix"}
        axes = outer.resolve(definition["matrix"])
        if not isinstance(axes, dict) or not all(isinstance(one, list) for one in axes.values()):
            raise Refused(name, "its matrix is no mapping of lists")
        if math.prod(len(one) for one in axes.values()) > TURNS:
            raise Refused(name, f"its matrix makes more than {TURNS} stages")
        for picked in itertools.product(*(enumerate(axis) for axis in axes.values())):
            chosen = list(zip(axes, picked, strict=True))
            key = "-".join(
                f"{axis}{at}" if isinstance(one, list | dict) else spelled(one, axis)
                for axis, (at, one) in chosen
            )
            item = {axis: one for axis, (_, one) in chosen}
            yield f"{name}@{key}", template, outer.having(item=item, key=key)
    elif "foreach" in definition:
        data = outer.resolve(definition["foreach"])
        inner = definition.get("do")
        if not isinstance(data, list | dict) or not isinstance(inner, dict):
            raise Refused(name, "its foreach has no data, or no do")
        if len(data) > TURNS:
            raise Refused(name, f"its foreach makes more than {TURNS} stages")
        if isinstance(data, dict):
            for key, item in data.items():
                yield f"{name}@{key}", inner, outer.having(item=item, key=key)
            return
        composite = any(isinstance(item, list | dict) for item in data)
        for at, item in enumerate(data):
            key = str(at) if composite else spelled(item, "item")
            yield f"{name}@{key}", inner, outer.having(item=item)
    else:
        yield name, definition, outer


def _stage(
    root: Path, file: str, name: str, template: Mapping[str, Any], context: Context
) -> Stage:
    base = file.rpartition("/")[0]
    written = template.get("wdir")
    wdir = _folder(base, context.text(str(written))) if written else base
    if own := template.get("vars"):
        context = context.clone()
        context.load(root, wdir, text.listing(own, name=file))
    cmd = template.get("cmd")
    lines: list[Any] = cmd if isinstance(cmd, list) else [cmd]
    if not lines or not all(isinstance(line, str) and line.strip() for line in lines):
        raise Refused(name, "it has no command")
    rest = {
        key: context.resolve(value)
        for key, value in template.items()
        if key not in ("cmd", "wdir", "vars")
    }
    return Stage(
        name,
        file,
        tuple(context.text(line, command=True) for line in lines),
        tuple(_live(line, context) for line in lines),
        wdir,
        tuple(declared.words(rest, "deps", name)),
        tuple(declared.params(rest, name)),
        tuple(declared.outs(rest, wdir, name)),
        frozen=rest.get("frozen") is True,
        always=rest.get("always_changed") is True,
        desc=str(rest.get("desc") or ""),
        listed=isinstance(cmd, list),
    )


def _live(line: str, context: Context) -> str:
    """Return the line with `${params.…}` where params.yaml of the project says the value, so that
    a change of it still reaches the step."""
    from mlops_cli.pipeline.words.interpolate import interpolate

    def reference(match: Any) -> str:
        value, origin = context.select(match["inner"])
        plain = spelled(value, match["inner"], command=True)
        word = f"${{params.{match['inner'].strip()}}}"
        kept = {f"params.yaml:{match['inner'].strip()}": value}
        if origin != "params.yaml" or isinstance(value, list | dict) or value is None:
            return plain
        try:
            return word if interpolate(word, kept) == plain else plain
        except KeyError:
            return plain  # a name that mlops would not read as one

    return EXPRESSION.sub(reference, line).replace("\\${", "${")


def _folder(base: str, path: str) -> str:
    joined = os.path.normpath(os.path.join(base, path))
    return "" if joined == "." else place(base, path)
