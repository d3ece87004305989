"""`for:`: one entry of `steps` that stands for many steps, `train@lr=0.1,depth=3` among them."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.paths import SPLIT
from mlops_cli.pipeline.reading import nodes, partitions
from mlops_cli.pipeline.reading.partitions import Span
from mlops_cli.pipeline.words.document import Node, Place, refuse

_FROM_PARAMS = re.compile(r"\$\{([^${}:]+\.(?:yaml|yml|json|toml):[A-Za-z0-9_.-]+)\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
_LONGEST = 100
WORDS = {"for": "item", "partitions": "partition"}  # and how a text names what they give


def unrolled(top: Node, root: Path, reads: list[str], span: Span) -> Node:
    """Return pipeline.yaml with a step for each item of each `for` and each partition; files
    that were read for that are added to `reads`.

    Raises ConfigError with the place of what is wrong.
    """
    steps = top.value.get("steps") if isinstance(top.value, dict) else None
    if steps is None or not isinstance(steps.value, dict):
        return top
    entries: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for name, step in steps.value.items():
        place = steps.keys[name]
        if SPLIT in name:
            raise refuse(
                place,
                f"{name!r} cannot be a name in steps",
                code="wrong-value",
                hint="use letters, digits, - and _; begin with a letter or digit",
            )
        words = [word for word in WORDS if isinstance(step.value, dict) and word in step.value]
        if not words:
            entries[name], keys[name] = step, place
            continue
        if len(words) == 2:
            raise refuse(
                step.keys["for"],
                f"{name} has for and partitions, and can have one of them",
                code="wrong-value",
            )
        source, body = step.value[words[0]], dict(step.value)
        if words == ["for"]:
            del body["for"]
            items = _items(source, root, reads)
        else:
            items = partitions.items(
                _with_keys(source, root, reads), f"steps.{name}.partitions", span
            )
        for item in items:
            made = f"{name}{SPLIT}{_name(item)}"
            if made in entries:
                raise refuse(
                    item.place, f"two items of {name} are called {made}", code="duplicate-key"
                )
            if words == ["partitions"]:  # what is left of them: which one this is
                own = Node(item.place, item.text, item.text)
                body["partitions"] = Node(item.place, {"keys": own}, keys={"keys": item.place})
            entries[made] = nodes.filled(replace(step, value=body), WORDS[words[0]], item)
            keys[made] = place
    found = replace(steps, value=entries, keys=keys)
    return replace(top, value={**top.value, "steps": found})


def _with_keys(source: Node, root: Path, reads: list[str]) -> Node:
    listed = source.value.get("keys") if isinstance(source.value, dict) else None
    if listed is None:
        return source
    return replace(source, value={**source.value, "keys": _read(listed, root, reads)})


def _items(source: Node, root: Path, reads: list[str]) -> list[Node]:
    source = _read(source, root, reads)
    value = source.value
    if isinstance(value, tuple):
        items = list(value)
    elif isinstance(value, dict):
        items = list(_combined(source, root, reads))
    else:
        raise refuse(
            source.place,
            f"for is {source.shape}, and must be a list or a mapping of lists",
            code="wrong-type",
            hint="for: {lr: [0.1, 0.01], depth: [3, 5]}, or for: ${params.yaml:regions}",
        )
    if not items:
        raise refuse(source.place, "for has no items", code="wrong-value")
    for item in items:
        parts = item.value.values() if isinstance(item.value, dict) else (item,)
        for part in parts:
            if isinstance(part.value, dict | tuple) or part.value is None:
                raise refuse(
                    part.place,
                    f"an item of for is {part.shape}, and must be one value or a mapping of such",
                    code="wrong-type",
                )
    return items


def _combined(source: Node, root: Path, reads: list[str]) -> Iterator[Node]:
    """Yield a mapping for each combination of lists; of those under `zip`, for each row."""
    zipped = source.value.get("zip")
    together = zipped is not None and isinstance(zipped.value, dict) and len(source.value) == 1
    table = zipped if together else source
    columns = {}
    for name, node in table.value.items():
        column = _read(node, root, reads)
        if not isinstance(column.value, tuple):
            raise refuse(
                column.place, f"for.{name} is {column.shape}, and must be a list", code="wrong-type"
            )
        columns[name] = column.value
    if together and len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise refuse(
            table.place,
            f"the lists of zip are not of one length: {lengths}",
            code="wrong-value",
        )
    rows = zip(*columns.values(), strict=True) if together else itertools.product(*columns.values())
    for row in rows:
        parts = dict(zip(columns, row, strict=True))
        yield Node(source.place, parts, keys={name: one.place for name, one in parts.items()})


def _read(node: Node, root: Path, reads: list[str]) -> Node:
    """Return the value in a params file for which `${params.yaml:…}` stands."""
    match = _FROM_PARAMS.fullmatch(node.text) if isinstance(node.value, str) else None
    if match is None:
        return node
    from mlops_cli.pipeline.keys.params import read_params

    reads.append(match[1].partition(":")[0])
    try:
        return nodes.of(read_params(root, [match[1]])[match[1]], node.place)
    except MlopsError as error:
        if "line" in error.details:
            raise  # a malformed file says itself where
        details = {key: value for key, value in error.details.items() if key != "file"}
        raise refuse(
            node.place, error.message, code=error.code, hint=error.hint, **details
        ) from error


def _name(item: Node) -> str:
    """Return the name of an item, as it may stand in the name of a file."""
    several = isinstance(item.value, dict) and not item.text
    parts = item.value.items() if several else [("", item)]
    words = [f"{name}={node.text}" if name else node.text for name, node in parts]
    safe = ",".join(
        f"{name}={_UNSAFE.sub('_', node.text)}" if name else _UNSAFE.sub("_", node.text)
        for name, node in parts
    )
    whole = ",".join(words)
    if safe == whole and 0 < len(safe) <= _LONGEST:
        return safe
    return f"{safe[:_LONGEST]}~{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
