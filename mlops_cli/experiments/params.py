"""A params file with other values; comments, order and all else stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import ConfigError


def edited(data: bytes, values: Mapping[str, Any], *, file: str) -> bytes:
    """Return the YAML or JSON text `data` with `values` (dotted key → value) put in.

    Raises ConfigError ("unknown-reference") where a key is not in it.
    """
    import yaml

    text = data.decode("utf-8")
    places: list[tuple[int, int, Any]] = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in values.items():
        node: Any = root
        for word in key.split("."):
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            node = next((below for name, below in pairs if name.value == word), None)
        if node is None:
            raise ConfigError(f"{file} has no {key!r}", code="unknown-reference")
        places.append((node.start_mark.index, node.end_mark.index, value))
    for start, end, value in sorted(places, reverse=True):
        # the end of a block is the beginning of what comes next
        kept = text[start:end]
        rest = kept[len(kept.rstrip()) :]
        text = text[:start] + _text(value) + rest + text[end:]
    return text.encode()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "." not in text and "e" in text:
        return text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for a word
    return text
