"""Three-way merge of environments/*.yaml: what serves as a whole, all else field by field."""

from __future__ import annotations

from typing import Any, Literal

from mlops_cli import encode
from mlops_cli.errors import IntegrityError
from mlops_cli.workspace.merge_values import MISSING, merge_values, pick, refuse_undecided

THEIRS = "theirs"
# a champion comes with the time since when, those before it and those held back from it
SERVED = ("champion", "since", "former", "held")


def merge(
    path: str, base: bytes | None, ours: bytes, theirs: bytes
) -> tuple[bytes, tuple[str, ...]]:
    """Return the merged file and the fields in conflict. Raises as `merge_file` does."""
    left, right = _parse(path, ours), _parse(path, theirs)
    try:
        former = _parse(path, base) if base else {}
    except IntegrityError:
        former = {}
    former.pop(THEIRS, None)
    if right in (left, former):
        return ours, ()
    if former == left:
        return theirs, ()
    refuse_undecided(path, left.get(THEIRS), right.get(THEIRS))
    mine, others, conflicts = merge_values(*(_rest(one) for one in (former, left, right)))
    served = pick(_served(former), _served(left), _served(right))
    if served is None:
        one, other, conflicts = left, right, ("champion", *conflicts)
    elif served[0] != _served(left) or _group(left) == _group(former):
        one = other = right if served[0] == _served(right) else left
    else:
        one = other = left
    mine, others = _group(one) | mine, _group(other) | others
    names = dict.fromkeys([*left, *right])
    merged = {name: mine[name] for name in names if name in mine}
    if conflicts:
        merged[THEIRS] = {name: others[name] for name in names if name in others}
    return _head(ours) + encode.stable_yaml(merged).encode(), conflicts


def undecided(data: bytes) -> bool:
    """Tell whether the file holds a conflict."""
    return b"\ntheirs:\n" in data


def take(data: bytes, side: Literal["ours", "theirs"]) -> bytes:
    """Return the file with its conflict decided."""
    value = _parse("environment", data)
    other = value.pop(THEIRS)
    text = encode.stable_yaml(other if side == "theirs" else value)
    return _head(data) + text.encode()


def _parse(path: str, data: bytes) -> dict[str, Any]:
    import yaml

    try:
        value = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError):
        value = None
    if not isinstance(value, dict):
        raise IntegrityError(
            f"{path} is not the state of an environment",
            code="malformed-environment",
            hint=f"git checkout -- {path}",
            details={"file": path},
        )
    return value


def _served(value: dict[str, Any]) -> Any:
    return [value["champion"], value.get("held")] if "champion" in value else MISSING


def _group(value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in SERVED if name in value}


def _rest(value: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in SERVED}


def _head(data: bytes) -> bytes:
    """Return the comment that the file begins with."""
    lines = data.splitlines(keepends=True)
    end = next((n for n, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    return b"".join(lines[:end])
