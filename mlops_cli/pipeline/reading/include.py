"""`include:`: steps of other pipeline files, under names of their own, with values of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.checks.inside import project_path
from mlops_cli.pipeline.model.steps import Include
from mlops_cli.pipeline.reading import nodes
from mlops_cli.pipeline.reading.build import build
from mlops_cli.pipeline.words.document import Node, Place, meant, read, refuse

MOST = 1000  # files, so that two that include each other's children many times come to an end
_WORDS = ("version", "with", "steps", "include")


def included(top: Node, root: Path, reads: list[str], *, chain: tuple[str, ...]) -> Node:
    """Return a pipeline file together with the steps of those that it includes; files that were
    read are added to `reads`.

    Raises ConfigError ("include-cycle", "path-outside-project", "duplicate-key", ...), NotFound.
    """
    listed = top.value.get("include") if isinstance(top.value, dict) else None
    if listed is None or listed.value is None:
        return top
    asked: tuple[Include, ...] = build(tuple[Include, ...], listed, "include")
    each = listed.value if isinstance(listed.value, tuple) else (listed,)
    steps = top.value.get("steps") or Node(top.place, {})
    if not isinstance(steps.value, dict):
        return top  # the model says what is wrong with it
    entries, keys = dict(steps.value), dict(steps.keys)
    for include, node in zip(asked, each, strict=True):
        for name, step, place in _steps(include, node, root, reads, chain):
            if name in entries:
                raise refuse(
                    node.place,
                    f"{include.file} has a step {name}, and {keys[name]} has it, too",
                    code="duplicate-key",
                    hint="give the include a name: as: other",
                )
            entries[name], keys[name] = step, place
    found = replace(steps, value=entries, keys=keys)
    places = {"steps": top.place, **top.keys}
    return replace(top, value={**top.value, "steps": found}, keys=places)


def _steps(
    include: Include, node: Node, root: Path, reads: list[str], chain: tuple[str, ...]
) -> list[tuple[str, Node, Place]]:
    where = node.value["file"].place
    project_path(include.file, where, root)
    file = Path(include.file).as_posix()
    if file in chain:
        raise refuse(
            where,
            f"{' → '.join((*chain, file))} includes itself",
            code="include-cycle",
            hint="take one of these includes out",
        )
    if len(reads) >= MOST:
        raise refuse(where, f"more than {MOST} files are included", code="wrong-value")
    reads.append(file)
    try:
        top = read(root / file, name=file)
    except MlopsError as error:
        if "line" in error.details:
            raise
        raise refuse(where, error.message, code=error.code) from error
    for word, place in top.keys.items():
        if word not in _WORDS:
            raise refuse(
                place,
                f"an included file cannot have {word!r}",
                code="unknown-key",
                hint=f"it has {', '.join(_WORDS)}; everything else stands in pipeline.yaml",
            )
    values = _values(include, node, top)
    top = included(top, root, reads, chain=(*chain, file))
    steps = top.value.get("steps") if isinstance(top.value, dict) else None
    if steps is None or not isinstance(steps.value, dict):
        return []
    before = f"{include.as_}-" if include.as_ else ""
    own = {f"steps.{name}": f"steps.{before}{name}" for name in steps.value}
    return [
        (before + name, _renamed(nodes.filled(step, "with", values), own), steps.keys[name])
        for name, step in steps.value.items()
    ]


def _values(include: Include, node: Node, top: Node) -> Node:
    """Return what `${with.…}` stands for: what the file says itself, and the include over it."""
    usual = top.value.get("with") if isinstance(top.value, dict) else None
    known = usual.value if usual is not None and isinstance(usual.value, dict) else {}
    given = node.value.get("with")
    said = given.value if given is not None and isinstance(given.value, dict) else {}
    for word in said:
        if word not in known:
            raise refuse(
                given.keys[word],
                f"{include.file} takes no {word!r}",
                code="unknown-key",
                hint=meant(word, known) if known else f"write with: {{{word}: …}} in it",
            )
    values = {**known, **said}
    for word, value in values.items():
        if value.value is None:
            raise refuse(
                node.place,
                f"{include.file} needs a value for {word!r}",
                code="missing-key",
                hint=f"with: {{{word}: …}}",
            )
        if isinstance(value.value, dict):
            raise refuse(value.place, f"with.{word} is a mapping", code="wrong-type")
    return Node(node.place, values, keys=dict.fromkeys(values, node.place))


def _renamed(step: Node, own: Mapping[str, str]) -> Node:
    """Return a step whose deps on steps of its own file go by their new names."""
    deps = step.value.get("deps") if isinstance(step.value, dict) else None
    if deps is None:
        return step
    if isinstance(deps.value, tuple):
        renamed = replace(deps, value=tuple(_name(dep, own) for dep in deps.value))
    else:
        renamed = _name(deps, own)
    return replace(step, value={**step.value, "deps": renamed})


def _name(dep: Node, own: Mapping[str, str]) -> Node:
    return replace(dep, value=own[dep.text], text=own[dep.text]) if dep.text in own else dep
