"""The same value gives the same bytes on every machine and in every year."""

from __future__ import annotations

import json
from typing import Any

from mlops_cli.errors import IntegrityError


def canonical_json(value: Any) -> bytes:
    """Return the one JSON encoding of `value` that is hashed: sorted keys, no spaces, UTF-8.

    Raises ValueError for NaN and infinities, which JSON does not have; write None for them.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def readable_json(value: Any) -> str:
    """Return `value` as JSON that diffs and merges line by line: sorted, indented, ended."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse_json(data: bytes | str, *, source: str) -> Any:
    """Return the value in `data`; `source` names where the bytes came from in the error.

    Raises IntegrityError ("malformed-json") with line and column.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:  # also a number or a nesting without end
        where = f":{exc.lineno}:{exc.colno}" if isinstance(exc, json.JSONDecodeError) else ""
        hint = "mlops merge" if has_marks(data) else f"git log -- {source}"
        raise IntegrityError(
            f"{source}{where} is not JSON", code="malformed-json", hint=hint
        ) from exc


def has_marks(data: bytes | str) -> bool:
    """Tell whether git left the marks of a conflict in `data`."""
    text = data if isinstance(data, bytes) else data.encode()
    return text.startswith(b"<<<<<<< ") or b"\n<<<<<<< " in text


def stable_yaml(value: Any) -> str:
    """Return `value` as YAML in the order of its keys: what people read, edit and diff."""
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text


def check_nesting(text: str, *, most: int = 500) -> str:
    """Return a YAML text that does not nest too deeply. Raises RecursionError if it does.

    The composer of libyaml recurses in C: a hundred thousand brackets end the process with a
    signal, where the composer in Python would raise this. Few openers are not looked at again.
    """
    if sum(map(text.count, ("[", "{", "- ", "? "))) <= most:
        return text
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > most:
            raise RecursionError(f"more than {most} values within each other")
    return text
